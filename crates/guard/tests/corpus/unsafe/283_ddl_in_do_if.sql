-- expect: add-check
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'c') THEN ALTER TABLE leads ADD CONSTRAINT c CHECK (a > 0); END IF; END $$;
