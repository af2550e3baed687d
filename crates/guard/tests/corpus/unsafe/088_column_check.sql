-- expect: column-with-check
ALTER TABLE leads ADD COLUMN n int DEFAULT 1 CHECK (n > 0);
