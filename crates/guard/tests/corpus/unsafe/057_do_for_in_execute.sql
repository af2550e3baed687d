-- expect: dml-update
DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'UPDATE leads SET a = 1 RETURNING id' LOOP NULL; END LOOP; END $$;
