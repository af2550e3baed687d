-- expect: create-index
CREATE UNIQUE INDEX i ON leads (a) NULLS NOT DISTINCT;
