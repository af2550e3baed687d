-- expect: none
ALTER TABLE IF EXISTS ONLY crm.leads ADD COLUMN IF NOT EXISTS note varchar(50); COMMENT ON COLUMN crm.leads.note IS 'update me';
