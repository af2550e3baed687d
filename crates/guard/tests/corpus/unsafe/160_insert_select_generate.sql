-- expect: dml-insert-select
INSERT INTO leads (n) SELECT generate_series(1, 1000000);
