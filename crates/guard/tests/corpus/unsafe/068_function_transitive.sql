-- expect: dml-call
CREATE FUNCTION a() RETURNS void LANGUAGE sql AS 'SELECT b()';
CREATE FUNCTION b() RETURNS void LANGUAGE sql AS 'UPDATE leads SET x = 1';
SELECT a();
