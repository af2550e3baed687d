-- expect: dml-call
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = 1; END $$;
SELECT fill();
DROP FUNCTION fill();
