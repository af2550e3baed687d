-- expect: dml-call
CREATE FUNCTION tidy(a int) RETURNS TABLE (id int) LANGUAGE sql AS 'DELETE FROM leads WHERE x = a RETURNING id';
SELECT * FROM tidy(1);
