-- expect: change-type
ALTER TABLE leads ALTER COLUMN id TYPE bigint;
