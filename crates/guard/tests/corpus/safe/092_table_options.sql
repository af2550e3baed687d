-- expect: none
ALTER TABLE leads SET (autovacuum_vacuum_scale_factor = 0.02, fillfactor = 90), RESET (toast_tuple_target);
