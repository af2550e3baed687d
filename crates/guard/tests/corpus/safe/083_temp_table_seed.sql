-- expect: none
CREATE TEMP TABLE seen (id int); INSERT INTO seen VALUES (1); INSERT INTO pg_temp.seen VALUES (2);
