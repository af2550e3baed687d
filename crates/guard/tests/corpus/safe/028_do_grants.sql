-- expect: none
DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP EXECUTE 'GRANT SELECT ON ' || quote_ident(t) || ' TO reader'; END LOOP; END $$;
