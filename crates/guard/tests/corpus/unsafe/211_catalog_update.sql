-- expect: dml-update
UPDATE pg_catalog.pg_constraint SET convalidated = true WHERE conname = 'c';
