-- expect: lock-table
LOCK leads, calls IN SHARE ROW EXCLUSIVE MODE NOWAIT;
