-- expect: none
-- pgdeploy:
--   transaction: false
DROP INDEX CONCURRENTLY i;
ALTER TABLE calls DETACH PARTITION calls_2020 CONCURRENTLY;
