-- The calls of a lead, latest first; backfills/0001_last_call_direction.sql looks up one row by it per lead.
CREATE INDEX call_log_lead_started_idx ON call_log (lead_id, started_at DESC);

-- Inbound calls nobody took: the list of people to call back.
CREATE INDEX call_log_missed_idx ON call_log (started_at) WHERE direction = 'inbound' AND status = 'missed';

-- Reports over a span of time. Calls are appended in order of time, so a few kilobytes of BRIN will do.
CREATE INDEX call_log_started_brin ON call_log USING brin (started_at);
