-- expect: volatile-default
ALTER TABLE leads ADD COLUMN r double precision DEFAULT random();
