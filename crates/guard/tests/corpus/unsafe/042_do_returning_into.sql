-- expect: dml-insert-values
DO $$ DECLARE v int; BEGIN INSERT INTO plans VALUES ('x') RETURNING id INTO v; END $$;
