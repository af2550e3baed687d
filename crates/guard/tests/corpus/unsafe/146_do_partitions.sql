-- expect: create-partition
DO $$ DECLARE s text := 'CREATE TABLE p_%s PARTITION OF calls FOR VALUES IN (%s)'; BEGIN FOR i IN 1..4 LOOP EXECUTE format(s, i, i); END LOOP; END $$;
