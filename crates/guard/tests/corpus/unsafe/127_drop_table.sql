-- expect: drop-table
DROP TABLE IF EXISTS leads;
