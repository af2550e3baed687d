-- expect: dml-update
DO $$ DECLARE n int := 1; BEGIN WHILE n > 0 LOOP WITH b AS (SELECT id FROM leads WHERE a IS NULL LIMIT 1000) UPDATE leads SET a = 1 FROM b WHERE b.id = leads.id; GET DIAGNOSTICS n = ROW_COUNT; END LOOP; END $$;
