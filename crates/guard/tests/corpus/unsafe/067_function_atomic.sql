-- expect: dml-call
CREATE FUNCTION tidy() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM leads; END;
SELECT tidy();
