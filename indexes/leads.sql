-- The same person may be a lead of two tenants, but only once of each.
CREATE UNIQUE INDEX leads_tenant_email_key ON leads (tenant_id, lower(email));

-- The work list of a tenant, newest first. Won and lost leads are history and stay out of it.
CREATE INDEX leads_open_idx ON leads (tenant_id, created_at DESC) WHERE status IN ('new', 'contacted', 'qualified');

-- "Who else do we know at this company?"
CREATE INDEX leads_email_domain_idx ON leads (lower(split_part(email, '@', 2)));

-- None on last_call_direction yet: an index on a column that is being backfilled makes every one of those
-- updates write to all indexes of the table.
