-- expect: rename
ALTER TABLE leads RENAME COLUMN name TO full_name;
