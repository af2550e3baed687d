-- expect: dml-delete
DELETE FROM "Leads";
