-- expect: dml-delete
DO $$ BEGIN CASE current_setting('x.y', true) WHEN 'a' THEN DELETE FROM leads; ELSE NULL; END CASE; END $$;
