-- expect: concurrently-in-transaction
BEGIN; CREATE INDEX CONCURRENTLY i ON leads (a); COMMIT;
