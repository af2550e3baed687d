-- expect: refresh-materialized-view
REFRESH MATERIALIZED VIEW lead_counts;
