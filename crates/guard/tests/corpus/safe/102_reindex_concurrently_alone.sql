-- expect: none
REINDEX INDEX CONCURRENTLY leads_email_idx;
