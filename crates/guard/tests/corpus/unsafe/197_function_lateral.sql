-- expect: dml-call
CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = 1 WHERE id = i; RETURN 1; END $$; SELECT x.f FROM generate_series(1, 10) g, LATERAL f(g) AS x;
