-- expect: refresh-materialized-view
REFRESH MATERIALIZED VIEW crm.lead_stats WITH DATA;
