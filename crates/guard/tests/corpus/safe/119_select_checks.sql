-- expect: none
SELECT 1 / count(*) FROM leads; SELECT pg_advisory_xact_lock(42); SELECT to_regclass('leads');
