-- expect: dml-call
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = 1; COMMIT; END $$;
CALL fill();
