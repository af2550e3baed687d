-- expect: dml-create-as
CREATE TEMP TABLE t AS SELECT id FROM leads WHERE status IS NULL;
