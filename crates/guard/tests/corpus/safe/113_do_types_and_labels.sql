-- expect: none
DO $$ <<outer>> DECLARE r leads%ROWTYPE; e leads.email%TYPE; a int[] := ARRAY[1, 2]; i int; c CURSOR (n int) FOR SELECT * FROM leads WHERE id = n; BEGIN FOREACH i IN ARRAY a LOOP EXIT outer; END LOOP; EXCEPTION WHEN SQLSTATE '42P07' THEN NULL; END $$;
