-- expect: drop-table
DROP OWNED BY app;
