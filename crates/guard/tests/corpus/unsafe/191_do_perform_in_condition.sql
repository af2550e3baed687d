-- expect: dml-call
CREATE FUNCTION f() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM leads; RETURN true; END $$; DO $$ BEGIN IF f() THEN NULL; END IF; END $$;
