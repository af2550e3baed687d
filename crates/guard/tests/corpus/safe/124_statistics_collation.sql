-- expect: none
CREATE STATISTICS st (dependencies) ON a, b FROM leads; ALTER STATISTICS st SET STATISTICS 100; CREATE COLLATION nd (provider = icu, locale = 'und', deterministic = false);
