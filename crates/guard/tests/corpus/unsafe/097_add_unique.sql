-- expect: add-unique
ALTER TABLE leads ADD UNIQUE (email);
