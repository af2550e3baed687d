-- expect: transaction-control
ALTER TABLE leads ADD COLUMN a int;
COMMIT;
ALTER TABLE leads ADD COLUMN b int;
