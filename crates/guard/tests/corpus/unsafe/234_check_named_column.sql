-- expect: column-with-check
ALTER TABLE leads ADD COLUMN a int CONSTRAINT positive CHECK (a > 0) DEFAULT 1;
