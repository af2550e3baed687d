-- expect: dml-call
CREATE FUNCTION f(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('UPDATE %s SET a = 1', t); END $$; SELECT f('leads');
