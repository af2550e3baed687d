-- expect: dml-update
PREPARE fix AS UPDATE leads SET a = 1; EXPLAIN ANALYZE EXECUTE fix;
