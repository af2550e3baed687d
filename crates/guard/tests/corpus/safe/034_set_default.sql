-- expect: none
ALTER TABLE leads ALTER COLUMN ref SET DEFAULT gen_random_uuid();
ALTER TABLE leads ALTER COLUMN a DROP DEFAULT;
