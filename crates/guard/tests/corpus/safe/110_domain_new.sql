-- expect: none
CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TABLE t (n positive); ALTER DOMAIN positive DROP NOT NULL;
