-- expect: rewrite-table
CLUSTER VERBOSE leads USING leads_pkey;
