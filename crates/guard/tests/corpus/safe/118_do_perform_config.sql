-- expect: none
DO $$ BEGIN PERFORM set_config('app.migrating', 'on', true); PERFORM pg_notify('schema', 'update'); END $$;
