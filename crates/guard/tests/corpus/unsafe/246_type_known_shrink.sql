-- expect: change-type
CREATE TABLE unrelated (a int); ALTER TABLE leads ALTER COLUMN n TYPE char(3);
