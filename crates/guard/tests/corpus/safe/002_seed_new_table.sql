-- expect: none
CREATE TABLE plans (name text);
INSERT INTO plans VALUES ('a'), ('b') ON CONFLICT DO NOTHING;
