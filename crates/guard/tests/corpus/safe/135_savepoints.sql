-- expect: none
SAVEPOINT a; ALTER TABLE leads ADD COLUMN b int; ROLLBACK TO a; RELEASE a;
