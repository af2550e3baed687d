-- expect: column-unique
ALTER TABLE leads ADD COLUMN ref text UNIQUE;
