-- expect: drop-column
ALTER TABLE leads DROP COLUMN IF EXISTS age CASCADE;
