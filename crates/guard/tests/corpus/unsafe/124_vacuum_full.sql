-- expect: rewrite-table
VACUUM (FULL, ANALYZE) leads;
