-- expect: none
ALTER TABLE leads VALIDATE CONSTRAINT leads_email_not_null;
ALTER TABLE leads ALTER COLUMN email SET NOT NULL;
ALTER TABLE leads DROP CONSTRAINT leads_email_not_null;
