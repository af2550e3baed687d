-- expect: dml-call
CREATE FUNCTION tidy() RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN EXECUTE 'DELETE FROM leads'; RETURN 1; END $$;
SELECT tidy();
