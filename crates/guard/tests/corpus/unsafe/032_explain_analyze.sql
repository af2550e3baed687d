-- expect: dml-update
EXPLAIN ANALYZE UPDATE leads SET a = 1;
