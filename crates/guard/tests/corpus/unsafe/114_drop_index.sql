-- expect: drop-index
DROP INDEX IF EXISTS leads_email_idx;
