-- NOT VALID: every new row is checked from now on, but the 300,000 old ones are not read while the lock is
-- held. 0008 checks those, in a transaction of its own that lets writers through.
ALTER TABLE leads
    ADD CONSTRAINT leads_status_check CHECK (status IN ('new', 'contacted', 'qualified', 'won', 'lost')) NOT VALID;
