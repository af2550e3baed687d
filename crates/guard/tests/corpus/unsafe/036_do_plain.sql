-- expect: dml-update
DO $$ BEGIN UPDATE leads SET a = 1; END $$;
