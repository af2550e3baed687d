-- expect: none
DO $$ DECLARE v int; n text; BEGIN SELECT count(*) INTO v FROM information_schema.columns WHERE table_name = 'leads'; IF v = 0 THEN RAISE EXCEPTION 'no table: delete from leads'; END IF; SELECT conname INTO n FROM pg_constraint LIMIT 1; EXECUTE 'ALTER TABLE leads DROP CONSTRAINT ' || quote_ident(n); END $$;
