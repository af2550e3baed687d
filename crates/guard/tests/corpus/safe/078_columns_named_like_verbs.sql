-- expect: none
ALTER TABLE leads ADD COLUMN "delete" boolean, ADD COLUMN update_at timestamptz, ADD COLUMN insert_count bigint DEFAULT 0 NOT NULL;
