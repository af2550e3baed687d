-- expect: dml-update
UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'leads'::regclass;
