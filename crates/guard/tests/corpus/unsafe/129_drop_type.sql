-- expect: drop-table
DROP TYPE lead_status CASCADE;
