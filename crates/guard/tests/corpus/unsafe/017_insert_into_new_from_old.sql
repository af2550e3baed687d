-- expect: dml-insert-select
CREATE TABLE lead_names (name text);
INSERT INTO lead_names SELECT name FROM leads;
