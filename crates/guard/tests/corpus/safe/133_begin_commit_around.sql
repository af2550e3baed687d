-- expect: none
BEGIN; ALTER TABLE leads ADD COLUMN a int; COMMIT;
