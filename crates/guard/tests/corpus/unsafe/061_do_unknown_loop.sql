-- expect: unknown-statement
DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM todo LOOP EXECUTE r.sql; END LOOP; END $$;
