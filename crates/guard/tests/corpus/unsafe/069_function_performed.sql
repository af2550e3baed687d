-- expect: dml-call
CREATE FUNCTION tidy() RETURNS void LANGUAGE sql AS 'UPDATE leads SET x = 1';
DO $$ BEGIN PERFORM tidy(); END $$;
