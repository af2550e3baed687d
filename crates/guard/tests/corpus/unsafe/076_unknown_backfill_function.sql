-- expect: dml-call
SELECT backfill_lead_scores();
