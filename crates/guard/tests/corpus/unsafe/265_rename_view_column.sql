-- expect: rename
ALTER VIEW v RENAME COLUMN a TO b;
