-- expect: create-index
CREATE TABLE fresh (a int);
CREATE INDEX ON leads (a);
