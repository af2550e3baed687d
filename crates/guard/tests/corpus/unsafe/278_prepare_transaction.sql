-- expect: transaction-control
ALTER TABLE leads ADD a int; PREPARE TRANSACTION 'x';
