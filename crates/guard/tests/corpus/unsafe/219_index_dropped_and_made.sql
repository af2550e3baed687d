-- expect: drop-index
DROP INDEX IF EXISTS crm.leads_a RESTRICT;
