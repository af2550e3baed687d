-- expect: unknown-statement
DO $$ BEGIN EXECUTE pg_read_file('/tmp/x.sql'); END $$;
