-- expect: dml-insert-select
INSERT INTO a VALUES (1) UNION SELECT id FROM leads;
