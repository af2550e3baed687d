-- expect: dml-call
CREATE FUNCTION acc(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE leads SET a = $2; RETURN 1; END $$; CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int); SELECT total(id) FROM ids;
