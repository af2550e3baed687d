-- expect: volatile-default
DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN u uuid DEFAULT gen_random_uuid()', 'leads'); END $$;
