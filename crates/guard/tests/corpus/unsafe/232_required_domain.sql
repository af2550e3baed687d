-- expect: required-column
ALTER TABLE leads ADD COLUMN a money NOT NULL;
