-- expect: dml-delete
DO $$ DECLARE t text := 'leads'; BEGIN EXECUTE 'DELETE ' || 'FROM ' || quote_ident(t); END $$;
