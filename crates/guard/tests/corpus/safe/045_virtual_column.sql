-- expect: none
ALTER TABLE leads ADD COLUMN d text GENERATED ALWAYS AS (lower(email)) VIRTUAL;
