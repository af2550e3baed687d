-- expect: sleep
ALTER TABLE leads ADD a int; SELECT pg_sleep(5);
