-- expect: dml-update
DO $$ BEGIN EXECUTE concat_ws(' ', 'UPDATE', quote_ident('leads'), 'SET a = 1'); END $$;
