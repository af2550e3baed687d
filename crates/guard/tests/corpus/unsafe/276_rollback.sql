-- expect: transaction-control
ALTER TABLE leads ADD a int; ROLLBACK;
