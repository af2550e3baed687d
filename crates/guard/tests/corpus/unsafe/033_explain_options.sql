-- expect: dml-delete
EXPLAIN (BUFFERS, ANALYZE TRUE) DELETE FROM leads;
