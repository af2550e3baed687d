-- expect: none
CREATE PROCEDURE batches() LANGUAGE plpgsql AS $$ BEGIN LOOP UPDATE leads SET a = 1 WHERE a IS NULL; COMMIT; END LOOP; END $$;
