-- expect: dml-insert-values
WITH seeded AS (INSERT INTO plans VALUES ('x') RETURNING *) SELECT * FROM seeded;
