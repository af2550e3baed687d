-- expect: dml-call
CREATE OR REPLACE FUNCTION app.fix(n int) RETURNS SETOF leads LANGUAGE sql AS $$ UPDATE leads SET a = n RETURNING *; $$; SELECT * FROM app.fix(3);
