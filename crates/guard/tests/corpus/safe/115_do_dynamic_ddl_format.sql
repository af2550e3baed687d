-- expect: none
DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant_%' LOOP EXECUTE format('ALTER TABLE %I.leads ADD COLUMN IF NOT EXISTS note text', s); EXECUTE format('COMMENT ON COLUMN %I.leads.note IS %L', s, 'delete from'); EXECUTE format('DROP TRIGGER IF EXISTS t ON %I.leads', s); END LOOP; END $$;
