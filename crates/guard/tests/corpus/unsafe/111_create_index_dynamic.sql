-- expect: create-index
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['a','b'] LOOP EXECUTE format('CREATE INDEX ON %I (tenant_id)', t); END LOOP; END $$;
