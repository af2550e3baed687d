-- expect: dml-call
CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql AS $$ BEGIN TRUNCATE leads; END $$; SELECT wipe();
