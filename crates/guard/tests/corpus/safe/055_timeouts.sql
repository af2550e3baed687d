-- expect: none
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE leads ADD COLUMN a int;
