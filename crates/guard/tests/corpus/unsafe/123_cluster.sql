-- expect: rewrite-table
CLUSTER leads USING leads_pkey;
