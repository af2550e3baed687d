-- expect: unknown-statement
DO $$ DECLARE q text; BEGIN SELECT body INTO q FROM patches WHERE id = 1; EXECUTE q; END $$;
