-- expect: acceptance, dml-update
-- pgdeploy:allow dml-update:
UPDATE leads SET a = 1;
