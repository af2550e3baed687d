-- expect: add-foreign-key
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'f') THEN ALTER TABLE leads ADD CONSTRAINT f FOREIGN KEY (owner_id) REFERENCES users; END IF; END $$;
