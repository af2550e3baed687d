-- expect: volatile-default
CREATE FUNCTION short_id() RETURNS text LANGUAGE sql AS $$ SELECT substr(md5(random()::text), 1, 8) $$; ALTER TABLE leads ADD COLUMN c text DEFAULT short_id();
