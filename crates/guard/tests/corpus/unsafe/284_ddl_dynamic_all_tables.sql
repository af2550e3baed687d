-- expect: set-not-null
DO $$ DECLARE t text; BEGIN FOR t IN SELECT table_name FROM information_schema.tables LOOP EXECUTE 'ALTER TABLE ' || quote_ident(t) || ' ALTER COLUMN tenant_id SET NOT NULL'; END LOOP; END $$;
