-- expect: none
ALTER TABLE leads ADD COLUMN a text DEFAULT 'x' NOT NULL, ADD COLUMN b int[] DEFAULT '{}', ADD COLUMN c jsonb DEFAULT jsonb_build_object(), ADD COLUMN d date DEFAULT (now() + interval '1 day')::date, ADD COLUMN e numeric(10, 2) DEFAULT 0.0, ADD COLUMN f interval DEFAULT '1 h';
