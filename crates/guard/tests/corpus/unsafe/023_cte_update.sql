-- expect: dml-update
WITH moved AS (UPDATE leads SET tenant_id = 2 WHERE tenant_id = 1 RETURNING id) SELECT count(*) FROM moved;
