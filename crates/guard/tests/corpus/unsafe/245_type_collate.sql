-- expect: change-type
ALTER TABLE leads ALTER COLUMN name TYPE text COLLATE "C";
