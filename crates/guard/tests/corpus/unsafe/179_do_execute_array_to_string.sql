-- expect: dml-delete
DO $$ BEGIN EXECUTE array_to_string(ARRAY['DELETE', 'FROM', 'leads'], ' '); END $$;
