-- Fills leads.last_call_direction for leads older than migration 0005; newer calls are the trigger's of 0010.
-- A lead that was never called gets 'none', so that no row is left NULL. Failed attempts were not calls.
UPDATE leads
   SET last_call_direction = coalesce(
         (SELECT c.direction
            FROM call_log c
           WHERE c.lead_id = leads.id AND c.status <> 'failed'
           ORDER BY c.started_at DESC
           LIMIT 1),
         'none')
 WHERE last_call_direction IS NULL;
