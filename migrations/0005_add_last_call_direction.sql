-- Two steps on purpose: a column without a default, then a default for the rows to come. Old leads stay NULL,
-- which is how backfills/0001_last_call_direction.sql recognises the ones it still has to fill.
ALTER TABLE leads ADD COLUMN last_call_direction text;
ALTER TABLE leads ALTER COLUMN last_call_direction SET DEFAULT 'none';
