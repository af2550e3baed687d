-- expect: concurrently-in-transaction
REINDEX (CONCURRENTLY) TABLE leads; ALTER TABLE leads ADD a int;
