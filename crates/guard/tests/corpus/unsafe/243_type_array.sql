-- expect: change-type
ALTER TABLE leads ALTER COLUMN tags TYPE text[] USING string_to_array(tags, ',');
