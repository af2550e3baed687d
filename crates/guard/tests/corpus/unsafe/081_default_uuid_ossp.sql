-- expect: volatile-default
ALTER TABLE leads ADD COLUMN ref uuid DEFAULT uuid_generate_v4();
