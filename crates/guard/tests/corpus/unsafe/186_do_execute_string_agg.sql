-- expect: dml-update
DO $$ DECLARE q text; BEGIN SELECT string_agg(format('UPDATE %I SET tenant_id = 1', table_name), ';') INTO q FROM information_schema.tables; EXECUTE q; END $$;
