-- expect: none
CREATE TABLE IF NOT EXISTS notes (id int, body text);
CREATE INDEX IF NOT EXISTS i ON notes (id);
ALTER TABLE notes ADD CONSTRAINT c CHECK (id > 0);
ALTER TABLE notes ADD UNIQUE (id);
