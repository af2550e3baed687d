-- expect: dml-update
DO $$ BEGIN EXECUTE E'UPDATE leads\nSET a = 1'; END $$;
