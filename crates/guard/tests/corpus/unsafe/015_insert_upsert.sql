-- expect: dml-insert-values
INSERT INTO plans (name) VALUES ('pro') ON CONFLICT (name) DO UPDATE SET active = true;
