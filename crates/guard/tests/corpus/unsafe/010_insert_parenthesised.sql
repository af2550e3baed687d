-- expect: dml-insert-select
INSERT INTO lead_archive (SELECT * FROM leads);
