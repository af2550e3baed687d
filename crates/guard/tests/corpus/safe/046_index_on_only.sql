-- expect: none
CREATE INDEX i ON ONLY calls (lead_id);
