-- expect: dml-create-as
CREATE UNLOGGED TABLE lead_copy AS TABLE leads;
