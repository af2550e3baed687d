-- expect: dml-update
DO $$ BEGIN EXECUTE concat('UP', 'DATE ', 'leads SET a = 1'); END $$;
