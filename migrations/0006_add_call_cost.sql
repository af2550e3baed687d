-- The application prices a call when it ends; older ones are priced by backfills/0002_call_cost.sql.
ALTER TABLE call_log ADD COLUMN cost_cents integer;
