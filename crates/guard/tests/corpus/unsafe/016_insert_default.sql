-- expect: dml-insert-values
INSERT INTO counters DEFAULT VALUES;
