-- expect: dml-insert-select
DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN INSERT INTO log SELECT * FROM leads; END $$;
