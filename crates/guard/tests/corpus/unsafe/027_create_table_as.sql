-- expect: dml-create-as
CREATE TABLE lead_copy AS SELECT * FROM leads;
