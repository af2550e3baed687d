-- expect: dml-call
CREATE FUNCTION f(t text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (t); RETURN 1; END $$; ALTER TABLE leads ALTER COLUMN a TYPE int USING f(a);
