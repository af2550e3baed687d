-- expect: none
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 'leads' AND column_name = 'a') THEN ALTER TABLE leads ADD COLUMN a text; END IF; END $$;
