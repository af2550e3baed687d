-- expect: none
ALTER TABLE leads RENAME TO contacts;
CREATE VIEW leads AS SELECT * FROM contacts;
