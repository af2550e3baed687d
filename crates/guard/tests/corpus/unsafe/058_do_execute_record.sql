-- expect: dml-update
DO $$ DECLARE r record; BEGIN FOR r IN SELECT format('UPDATE %I SET a = 1', tablename) AS q FROM pg_tables LOOP EXECUTE r.q; END LOOP; END $$;
