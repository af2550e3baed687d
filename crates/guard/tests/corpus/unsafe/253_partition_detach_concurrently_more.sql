-- expect: concurrently-in-transaction
ALTER TABLE calls DETACH PARTITION calls_2020 CONCURRENTLY; DROP TABLE calls_2020;
