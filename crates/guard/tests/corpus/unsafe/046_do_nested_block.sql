-- expect: dml-truncate
DO $$ BEGIN BEGIN BEGIN TRUNCATE leads; END; END; END $$;
