-- expect: dml-update
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_class WHERE relname = 'leads') THEN UPDATE leads SET a = 1; ELSE NULL; END IF; END $$;
