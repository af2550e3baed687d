-- expect: dml-delete
DO $$ DECLARE r leads%ROWTYPE; BEGIN FOR r IN SELECT * FROM leads LOOP DELETE FROM leads WHERE id = r.id; END LOOP; END $$;
