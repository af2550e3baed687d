-- expect: dml-delete, dml-insert-select
WITH gone AS (DELETE FROM leads WHERE spam RETURNING *) INSERT INTO lead_archive SELECT * FROM gone;
