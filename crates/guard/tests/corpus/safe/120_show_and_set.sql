-- expect: none
SET search_path = crm, public; SET LOCAL role app; RESET role; SHOW server_version; SET LOCAL work_mem = '64MB';
