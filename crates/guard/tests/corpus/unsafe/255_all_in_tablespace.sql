-- expect: rewrite-table
ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE fast NOWAIT;
