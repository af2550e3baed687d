-- A constant default is stored once, in the catalog: no row is rewritten.
ALTER TABLE leads ADD COLUMN do_not_call boolean NOT NULL DEFAULT false;
