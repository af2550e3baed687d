-- expect: rename
ALTER TABLE leads RENAME a TO b;
