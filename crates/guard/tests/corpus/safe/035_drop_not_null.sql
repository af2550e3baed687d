-- expect: none
ALTER TABLE leads ALTER COLUMN a DROP NOT NULL;
