-- expect: dml-update
UPDATE/* not me */leads--x
SET a/**/=1;
