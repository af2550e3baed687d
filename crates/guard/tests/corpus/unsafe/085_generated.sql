-- expect: stored-generated-column
ALTER TABLE leads ADD COLUMN d text GENERATED ALWAYS AS (lower(email)) STORED;
