-- expect: create-index
CREATE INDEX IF NOT EXISTS leads_a ON leads (a);
