-- expect: none
CREATE VIEW v AS SELECT * FROM leads FOR UPDATE;
