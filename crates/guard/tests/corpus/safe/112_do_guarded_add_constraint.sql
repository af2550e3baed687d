-- expect: none
DO $$ BEGIN ALTER TABLE leads ADD CONSTRAINT c CHECK (a > 0) NOT VALID; EXCEPTION WHEN duplicate_object OR duplicate_table THEN RAISE NOTICE 'update skipped'; END $$;
