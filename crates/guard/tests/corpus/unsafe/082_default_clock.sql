-- expect: volatile-default
ALTER TABLE leads ADD COLUMN at timestamptz DEFAULT clock_timestamp();
