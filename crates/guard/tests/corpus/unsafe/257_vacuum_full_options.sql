-- expect: rewrite-table
VACUUM (FULL true, ANALYZE) leads;
