-- expect: dml-update
DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM leads LOOP UPDATE leads SET a = 1 WHERE id = r.id; END LOOP; END $$;
