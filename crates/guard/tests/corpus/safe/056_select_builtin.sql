-- expect: none
SELECT pg_catalog.set_config('search_path', 'public', false);
SELECT setval('leads_id_seq', 1000, true);
SELECT count(*) FROM leads;
