-- expect: timeouts
SET lock_timeout TO 0;
ALTER TABLE leads ADD COLUMN a int;
