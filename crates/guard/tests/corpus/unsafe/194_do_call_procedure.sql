-- expect: dml-call
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = 1; COMMIT; END $$; DO $$ BEGIN CALL p(); END $$;
