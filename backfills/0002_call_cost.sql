-- Prices the answered outbound calls that ended before migration 0006: started minutes at the tenant's rate.
UPDATE call_log
   SET cost_cents = (call_log.duration_s + 59) / 60 * t.cents_per_minute
  FROM leads l
  JOIN tenants t ON t.id = l.tenant_id
 WHERE l.id = call_log.lead_id
   AND call_log.direction = 'outbound'
   AND call_log.status = 'answered'
   AND call_log.cost_cents IS NULL;
