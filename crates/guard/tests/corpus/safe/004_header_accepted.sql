-- expect: none
-- pgdeploy:
--   allow: [drop-column]
--   reason: unused since release 41
ALTER TABLE leads DROP COLUMN age;
