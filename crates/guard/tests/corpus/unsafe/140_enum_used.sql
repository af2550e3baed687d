-- expect: enum-value-used
ALTER TYPE lead_status ADD VALUE 'lost';
ALTER TABLE leads ALTER COLUMN status SET DEFAULT 'lost';
