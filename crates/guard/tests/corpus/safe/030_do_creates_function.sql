-- expect: none
DO $$ BEGIN EXECUTE 'CREATE FUNCTION g() RETURNS void LANGUAGE sql AS ''DELETE FROM leads'''; END $$;
