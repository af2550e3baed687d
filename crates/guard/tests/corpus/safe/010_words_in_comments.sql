-- expect: none
-- UPDATE leads SET a = 1;
/* DELETE FROM leads; /* INSERT INTO a SELECT * FROM b */ */
ALTER TABLE leads ADD COLUMN a int;
