-- expect: dml-delete
DO $$ BEGIN EXECUTE 'ALTER TABLE leads ADD COLUMN x int; DELETE FROM leads'; END $$;
