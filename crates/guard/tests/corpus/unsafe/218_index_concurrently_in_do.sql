-- expect: concurrently-in-transaction
DO $$ BEGIN EXECUTE 'CREATE INDEX CONCURRENTLY i ON leads (a)'; END $$;
