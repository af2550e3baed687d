-- expect: dml-update
DO $$ BEGIN CASE current_setting('server_version_num')::int WHEN 1 THEN NULL; ELSE UPDATE leads SET a = 1; END CASE; END $$;
