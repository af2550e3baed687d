-- expect: dml-update
DO $$ BEGIN EXECUTE replace('UPDATE @ SET a = 1', '@', 'leads'); END $$;
