-- expect: dml-update
ALTER TABLE leads ADD COLUMN plan text;
UPDATE leads SET plan = t.plan FROM tenants t WHERE t.id = leads.tenant_id;
