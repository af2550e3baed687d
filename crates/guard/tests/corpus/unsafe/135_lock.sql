-- expect: lock-table
LOCK TABLE leads IN ACCESS EXCLUSIVE MODE;
