-- expect: none
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE STATISTICS s ON a, b FROM leads;
ANALYZE leads;
