-- expect: drop-table
DROP EXTENSION hstore CASCADE;
