-- expect: none
-- pgdeploy:allow dml-insert-values: one plan, read at the application's start
INSERT INTO plans VALUES ('a');
