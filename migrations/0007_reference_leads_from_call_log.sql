-- NOT VALID, as in 0004: only new calls are checked, nothing is scanned under the lock.
ALTER TABLE call_log
    ADD CONSTRAINT call_log_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES leads (id) NOT VALID;
