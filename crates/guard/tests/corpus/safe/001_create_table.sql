-- expect: none
CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, n serial, CHECK (n > 0), owner_id bigint REFERENCES users ON DELETE CASCADE ON UPDATE SET NULL);
CREATE INDEX ON leads (owner_id);
