-- expect: transaction-control
START TRANSACTION; ALTER TABLE leads ADD a int;
