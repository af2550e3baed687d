-- expect: dml-delete
DO $$ DECLARE v text := 'ETELED'; BEGIN EXECUTE reverse(v) || ' FROM leads'; END $$;
