-- expect: change-type
ALTER TABLE leads ALTER COLUMN code TYPE char(5);
