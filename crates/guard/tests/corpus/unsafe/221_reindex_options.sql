-- expect: reindex
REINDEX (VERBOSE) INDEX leads_a;
