-- expect: none
ALTER TABLE leads DROP CONSTRAINT IF EXISTS old_check, DROP CONSTRAINT other;
