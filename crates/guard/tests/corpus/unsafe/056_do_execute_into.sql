-- expect: dml-insert-select
DO $$ DECLARE n int; BEGIN EXECUTE 'WITH x AS (INSERT INTO a SELECT * FROM b RETURNING 1) SELECT count(*) FROM x' INTO n; END $$;
