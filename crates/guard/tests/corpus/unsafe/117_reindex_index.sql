-- expect: reindex
REINDEX INDEX leads_email_idx;
