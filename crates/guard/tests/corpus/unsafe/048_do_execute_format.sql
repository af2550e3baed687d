-- expect: dml-update
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['leads','calls'] LOOP EXECUTE format('UPDATE %I SET a = %L', t, 'x'); END LOOP; END $$;
