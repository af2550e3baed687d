-- expect: dml-update
DO $$ BEGIN EXECUTE 'UPDATE leads SET a = 1'; END $$;
