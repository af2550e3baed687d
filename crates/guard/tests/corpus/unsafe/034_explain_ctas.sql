-- expect: dml-create-as
EXPLAIN ANALYZE CREATE TABLE x AS SELECT * FROM leads;
