-- What an agent's screen shows.
CREATE VIEW callable_leads AS
SELECT l.id, l.tenant_id, t.name AS tenant, l.name, l.email, l.status, l.last_call_direction, l.created_at
  FROM leads l
  JOIN tenants t ON t.id = l.tenant_id
 WHERE l.status IN ('new', 'contacted', 'qualified')
   AND NOT l.do_not_call;
