-- expect: reindex
REINDEX DATABASE crm;
