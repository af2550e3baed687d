-- expect: row-locks
SELECT id FROM leads WHERE status = 'x' FOR NO KEY UPDATE;
