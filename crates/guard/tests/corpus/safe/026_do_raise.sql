-- expect: none
DO $$ DECLARE delete_count int := 0; BEGIN RAISE NOTICE 'UPDATE leads SET %', delete_count; END $$;
