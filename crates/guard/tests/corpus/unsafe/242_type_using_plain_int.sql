-- expect: change-type
ALTER TABLE leads ALTER COLUMN n TYPE integer USING n::integer;
