-- expect: none
CREATE OR REPLACE VIEW v AS SELECT 'update' AS update, x AS delete FROM leads;
