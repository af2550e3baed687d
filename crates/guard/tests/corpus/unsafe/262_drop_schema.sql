-- expect: drop-table
DROP SCHEMA IF EXISTS crm CASCADE;
