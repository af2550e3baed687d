-- expect: detach-partition
ALTER TABLE calls DETACH PARTITION calls_2019;
