-- expect: unknown-statement
DO $$ BEGIN EXECUTE current_setting('app.sql'); END $$;
