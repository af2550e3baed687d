-- expect: validate-in-same-file
ALTER TABLE leads ADD CONSTRAINT n_check CHECK (n > 0) NOT VALID;
ALTER TABLE leads VALIDATE CONSTRAINT n_check;
