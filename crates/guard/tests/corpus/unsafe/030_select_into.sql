-- expect: dml-create-as
SELECT * INTO lead_copy FROM leads;
