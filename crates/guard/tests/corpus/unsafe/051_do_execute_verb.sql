-- expect: dml-delete
DO $$ DECLARE verb text := 'DELETE'; BEGIN EXECUTE verb || ' FROM leads'; END $$;
