-- expect: volatile-default
ALTER TABLE leads ADD COLUMN ref uuid NOT NULL DEFAULT gen_random_uuid();
