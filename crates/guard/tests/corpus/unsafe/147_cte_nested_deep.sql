-- expect: dml-delete
WITH a AS (SELECT 1), b AS (WITH c AS (SELECT 2) SELECT * FROM c), d AS (DELETE FROM leads WHERE spam RETURNING id) SELECT count(*) FROM a, b, d;
