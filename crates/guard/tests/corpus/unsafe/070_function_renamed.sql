-- expect: dml-call
CREATE FUNCTION a() RETURNS void LANGUAGE sql AS 'UPDATE leads SET x = 1';
ALTER FUNCTION a() RENAME TO b;
SELECT b();
