-- expect: dml-create-as
CREATE MATERIALIZED VIEW IF NOT EXISTS stats AS SELECT l.id, count(*) FROM leads l JOIN calls c ON c.lead_id = l.id GROUP BY 1 WITH DATA;
