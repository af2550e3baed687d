-- expect: dml-update
WITH moved AS (UPDATE leads SET archived = true RETURNING id) INSERT INTO log (n) SELECT count(*) FROM moved;
