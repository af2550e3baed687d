-- expect: create-index
CREATE INDEX calls_at ON calls (at);
