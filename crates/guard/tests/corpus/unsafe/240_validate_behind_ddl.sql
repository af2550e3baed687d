-- expect: scan-under-lock
ALTER TABLE leads ADD COLUMN z int; ALTER TABLE leads VALIDATE CONSTRAINT older;
