-- expect: none
CREATE TYPE s AS ENUM ('a'); CREATE TABLE t (x s DEFAULT 'a'); INSERT INTO t VALUES ('a');
