-- expect: dml-insert-select
WITH x AS (SELECT * FROM leads) INSERT INTO a SELECT * FROM x;
