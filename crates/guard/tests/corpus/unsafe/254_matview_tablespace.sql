-- expect: rewrite-table
ALTER MATERIALIZED VIEW lead_stats SET TABLESPACE fast;
