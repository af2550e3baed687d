-- expect: dml-update
DO $$ BEGIN EXECUTE 'UPDATE leads SET region = $1 WHERE region IS NULL' USING 'eu'; END $$;
