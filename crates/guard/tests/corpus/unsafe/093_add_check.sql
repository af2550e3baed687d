-- expect: add-check
ALTER TABLE leads ADD CONSTRAINT n_check CHECK (n > 0);
