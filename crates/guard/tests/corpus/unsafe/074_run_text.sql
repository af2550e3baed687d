-- expect: dml-call
CREATE FUNCTION run(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;
SELECT run('UPDATE leads SET a = 1');
