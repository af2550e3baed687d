-- expect: required-column
ALTER TABLE leads ADD COLUMN n int NOT NULL;
