-- expect: unknown-statement
DO $$ BEGIN EXECUTE convert_from(decode('REVMRVRFIEZST00gbGVhZHM=', 'base64'), 'UTF8'); END $$;
