-- expect: add-exclusion
ALTER TABLE rooms ADD COLUMN d tsrange, ADD CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, d WITH &&);
