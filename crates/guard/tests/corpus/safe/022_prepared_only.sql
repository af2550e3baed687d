-- expect: none
PREPARE p AS SELECT 1;
EXECUTE p;
