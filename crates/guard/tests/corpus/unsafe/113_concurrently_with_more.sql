-- expect: concurrently-in-transaction
ALTER TABLE leads ADD COLUMN a int;
CREATE INDEX CONCURRENTLY i ON leads (a);
