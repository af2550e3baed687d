-- expect: none
CREATE TABLE t (a varchar(10), b numeric(8, 2)); ALTER TABLE t ALTER a TYPE varchar(20), ALTER b TYPE numeric(12, 2);
