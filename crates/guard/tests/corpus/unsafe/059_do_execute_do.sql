-- expect: dml-delete
DO $$ BEGIN EXECUTE 'DO $x$ BEGIN DELETE FROM leads; END $x$'; END $$;
