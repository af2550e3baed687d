-- expect: change-type
ALTER TABLE leads ALTER COLUMN at TYPE timestamptz;
