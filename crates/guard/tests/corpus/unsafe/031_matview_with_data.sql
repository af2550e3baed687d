-- expect: dml-create-as
CREATE MATERIALIZED VIEW lead_counts AS SELECT tenant_id, count(*) FROM leads GROUP BY 1;
