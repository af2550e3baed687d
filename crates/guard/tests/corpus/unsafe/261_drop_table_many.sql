-- expect: drop-table
DROP TABLE IF EXISTS a, crm.b CASCADE;
