-- expect: dml-call
CREATE TABLE t (a int); CREATE RULE r AS ON INSERT TO t DO ALSO UPDATE leads SET a = 1; INSERT INTO t VALUES (1);
