-- expect: change-type
ALTER TABLE leads ALTER COLUMN data TYPE jsonb USING data::jsonb;
