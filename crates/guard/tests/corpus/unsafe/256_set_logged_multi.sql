-- expect: rewrite-table
ALTER TABLE leads SET (fillfactor = 70), SET LOGGED;
