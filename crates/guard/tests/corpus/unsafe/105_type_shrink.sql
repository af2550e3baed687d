-- expect: change-type
ALTER TABLE leads ALTER COLUMN name TYPE varchar(20);
