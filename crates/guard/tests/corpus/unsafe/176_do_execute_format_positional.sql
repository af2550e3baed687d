-- expect: dml-update
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['a', 'b'] LOOP EXECUTE format('UPDATE %1$I SET x = %2$L WHERE x IS NULL', t, 'v'); END LOOP; END $$;
