-- expect: drop-table
DROP FOREIGN TABLE remote_leads;
