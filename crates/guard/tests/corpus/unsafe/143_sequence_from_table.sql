-- expect: set-sequence
SELECT setval('leads_id_seq', (SELECT max(id) FROM leads));
