-- expect: none
EXPLAIN UPDATE leads SET a = 1;
