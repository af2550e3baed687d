-- expect: none
ALTER TABLE leads ALTER COLUMN a SET STATISTICS 500;
ALTER TABLE leads SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE leads ALTER COLUMN a SET STORAGE EXTERNAL;
