-- expect: stale-acceptance
-- pgdeploy:allow dml-update: it was three rows
ALTER TABLE leads ADD COLUMN a int;
