-- expect: attach-partition
ALTER TABLE calls ATTACH PARTITION calls_rest DEFAULT;
