-- expect: dml-truncate
TRUNCATE TABLE sessions;
