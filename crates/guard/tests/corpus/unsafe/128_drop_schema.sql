-- expect: drop-table
DROP SCHEMA crm CASCADE;
