-- expect: none
ALTER TABLE leads ADD CONSTRAINT u UNIQUE USING INDEX leads_email_key;
