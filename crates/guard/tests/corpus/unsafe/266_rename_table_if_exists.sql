-- expect: rename
ALTER TABLE IF EXISTS crm.leads RENAME TO contacts;
