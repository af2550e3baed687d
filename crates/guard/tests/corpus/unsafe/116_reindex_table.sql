-- expect: reindex
REINDEX TABLE leads;
