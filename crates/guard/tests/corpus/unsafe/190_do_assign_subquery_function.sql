-- expect: dml-call
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'UPDATE leads SET a = 1; SELECT 1'; DO $$ DECLARE n int := f(); BEGIN NULL; END $$;
