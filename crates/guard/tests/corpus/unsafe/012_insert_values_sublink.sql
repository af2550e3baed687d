-- expect: dml-insert-select
INSERT INTO a VALUES ((SELECT max(id) FROM leads));
