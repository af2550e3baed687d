-- expect: none
CREATE SCHEMA crm;
CREATE TABLE crm.notes (id int);
CREATE INDEX i ON crm.notes (id);
