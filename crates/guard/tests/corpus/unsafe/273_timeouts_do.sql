-- expect: timeouts
DO $$ BEGIN SET LOCAL lock_timeout = 0; ALTER TABLE leads ADD a int; END $$;
