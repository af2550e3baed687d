-- expect: create-index
DO $$ BEGIN CREATE INDEX i ON leads (a); END $$;
