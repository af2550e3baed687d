-- expect: create-partition
CREATE TABLE IF NOT EXISTS calls_rest PARTITION OF calls DEFAULT;
