-- expect: rewrite-table
ALTER TABLE leads SET LOGGED;
