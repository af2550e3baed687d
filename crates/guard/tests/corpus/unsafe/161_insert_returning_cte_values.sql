-- expect: dml-insert-values
WITH x AS (INSERT INTO plans VALUES (1) RETURNING *) SELECT * FROM x;
