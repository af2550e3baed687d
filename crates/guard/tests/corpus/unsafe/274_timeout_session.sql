-- expect: timeouts
SET SESSION lock_timeout TO DEFAULT;
