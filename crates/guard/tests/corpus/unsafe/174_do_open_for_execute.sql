-- expect: dml-update
DO $$ DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE 'WITH u AS (UPDATE leads SET a = 1 RETURNING id) SELECT * FROM u'; CLOSE c; END $$;
