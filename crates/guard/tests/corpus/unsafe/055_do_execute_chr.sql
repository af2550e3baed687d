-- expect: dml-update
DO $$ BEGIN EXECUTE chr(85) || 'PDATE leads SET a = 1'; END $$;
