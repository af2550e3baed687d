-- expect: create-index
CREATE INDEX ON leads USING gin (tags);
