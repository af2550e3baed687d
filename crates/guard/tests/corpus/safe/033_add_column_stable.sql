-- expect: none
ALTER TABLE leads ADD COLUMN d date DEFAULT CURRENT_DATE, ADD COLUMN u text DEFAULT current_user;
