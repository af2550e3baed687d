-- expect: dml-update
UPDATE active_leads SET score = 0;
