-- expect: none
CREATE OR REPLACE VIEW crm.v WITH (security_invoker = true) AS SELECT CASE WHEN op = 'DELETE' THEN 'update' ELSE 'insert' END AS "truncate" FROM log;
