-- expect: dml-truncate
TRUNCATE sessions RESTART IDENTITY CASCADE;
