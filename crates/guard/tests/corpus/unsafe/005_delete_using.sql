-- expect: dml-delete
DELETE FROM leads USING tenants t WHERE t.id = leads.tenant_id AND t.closed;
