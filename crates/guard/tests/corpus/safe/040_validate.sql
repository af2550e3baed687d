-- expect: none
ALTER TABLE leads VALIDATE CONSTRAINT c;
