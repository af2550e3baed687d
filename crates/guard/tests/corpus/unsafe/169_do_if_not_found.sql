-- expect: dml-update
DO $$ BEGIN UPDATE leads SET a = 1 WHERE a IS NULL; IF NOT FOUND THEN RAISE NOTICE 'none'; END IF; END $$;
