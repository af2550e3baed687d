-- expect: none
ALTER TABLE leads ADD COLUMN a text, ADD COLUMN b int NOT NULL DEFAULT 0, ADD COLUMN c timestamptz DEFAULT now(), ADD COLUMN d jsonb NOT NULL DEFAULT '{}'::jsonb;
