-- expect: dml-update
DO $$ DECLARE q text; BEGIN q := 'UPDATE leads '; q := q || 'SET a = 1'; EXECUTE q; END $$;
