-- expect: dml-delete
CREATE TABLE gone AS WITH d AS (DELETE FROM leads RETURNING *) SELECT * FROM d;
