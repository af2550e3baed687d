-- expect: none
ALTER TABLE leads ALTER COLUMN name TYPE text;
