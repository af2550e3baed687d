-- expect: dml-call
CREATE FUNCTION tag() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); RETURN 1; END $$;
ALTER TABLE leads ADD COLUMN t int DEFAULT tag();
