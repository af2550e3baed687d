-- expect: rewrite-table
ALTER INDEX leads_a SET TABLESPACE fast;
