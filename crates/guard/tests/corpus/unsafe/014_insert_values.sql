-- expect: dml-insert-values
INSERT INTO plans (name) VALUES ('pro');
