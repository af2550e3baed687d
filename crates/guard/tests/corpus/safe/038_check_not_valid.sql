-- expect: none
ALTER TABLE leads ADD CONSTRAINT c CHECK (n > 0) NOT VALID;
