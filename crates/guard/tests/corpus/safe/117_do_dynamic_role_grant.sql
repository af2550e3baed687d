-- expect: none
DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN EXECUTE format('CREATE ROLE app LOGIN PASSWORD %L', current_setting('app.pw', true)); END IF; EXECUTE 'GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO app'; END $do$;
