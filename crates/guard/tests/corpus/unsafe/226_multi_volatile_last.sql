-- expect: volatile-default
ALTER TABLE ONLY leads ADD COLUMN a int, ADD COLUMN b int DEFAULT 0, ADD COLUMN IF NOT EXISTS c uuid DEFAULT public.gen_random_uuid() NOT NULL;
