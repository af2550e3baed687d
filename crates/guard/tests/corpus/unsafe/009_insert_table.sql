-- expect: dml-insert-select
INSERT INTO lead_archive TABLE leads;
