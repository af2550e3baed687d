-- expect: dml-create-as
PREPARE q AS SELECT * FROM leads; CREATE TABLE copy AS EXECUTE q;
