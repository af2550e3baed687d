-- expect: none
CREATE INDEX calls_at ON ONLY calls (at);
