-- expect: dml-truncate
DO $$ BEGIN EXECUTE CASE WHEN now() > '2020-01-01' THEN 'TRUNCATE leads' ELSE 'SELECT 1' END; END $$;
