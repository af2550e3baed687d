-- expect: rename
ALTER TABLE leads RENAME TO contacts;
