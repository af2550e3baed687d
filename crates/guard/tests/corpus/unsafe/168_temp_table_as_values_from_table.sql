-- expect: dml-create-as
CREATE TEMPORARY TABLE t ON COMMIT DROP AS (TABLE leads);
