-- expect: dml-delete
DELETE FROM ONLY calls_2024 WHERE at < now();
