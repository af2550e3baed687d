-- expect: attach-partition
ALTER TABLE calls ATTACH PARTITION calls_old FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
