-- expect: dml-call
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM leads; SELECT 1'; COPY (SELECT f()) TO '/dev/null';
