-- expect: dml-truncate
TRUNCATE TABLE ONLY leads RESTART IDENTITY;
