-- expect: dml-create-as
SELECT id, email INTO UNLOGGED TABLE tmp_leads FROM leads WHERE email IS NOT NULL;
