-- expect: change-type
ALTER TABLE leads ALTER COLUMN price TYPE numeric(12, 4);
