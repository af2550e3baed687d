-- expect: dml-delete
DO $a$ BEGIN EXECUTE 'DO $b$ BEGIN DELETE FROM leads; END $b$'; END $a$;
