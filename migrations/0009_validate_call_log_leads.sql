-- Reads both tables, but both can be read and written meanwhile.
ALTER TABLE call_log VALIDATE CONSTRAINT call_log_lead_id_fkey;
