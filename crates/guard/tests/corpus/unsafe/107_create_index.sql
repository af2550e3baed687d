-- expect: create-index
CREATE INDEX leads_email_idx ON leads (email);
