-- expect: dml-update
DO $$ BEGIN FOR i IN 1..10 LOOP UPDATE leads SET a = i WHERE id % 10 = i; COMMIT; END LOOP; END $$;
