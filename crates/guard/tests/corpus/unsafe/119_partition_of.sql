-- expect: create-partition
CREATE TABLE calls_2027 PARTITION OF calls FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
