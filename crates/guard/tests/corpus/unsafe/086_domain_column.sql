-- expect: constrained-domain-column
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
ALTER TABLE leads ADD COLUMN n positive;
