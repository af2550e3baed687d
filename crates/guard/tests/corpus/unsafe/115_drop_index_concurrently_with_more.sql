-- expect: concurrently-in-transaction
DROP INDEX CONCURRENTLY a;
DROP INDEX CONCURRENTLY b;
