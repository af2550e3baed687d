-- expect: rewrite-table
ALTER TABLE leads SET TABLESPACE fast;
