-- expect: nullable-primary-key
CREATE UNIQUE INDEX CONCURRENTLY i ON leads (ref); ALTER TABLE leads ADD PRIMARY KEY USING INDEX i;
