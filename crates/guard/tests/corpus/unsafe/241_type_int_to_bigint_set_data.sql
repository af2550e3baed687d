-- expect: change-type
ALTER TABLE leads ALTER COLUMN id SET DATA TYPE int8;
