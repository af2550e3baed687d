-- expect: volatile-default
ALTER TABLE leads ADD COLUMN c text DEFAULT 'x' || md5(random()::text);
