-- expect: none
DO $$ BEGIN CREATE TYPE status AS ENUM ('update', 'delete'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
