-- expect: set-not-null
ALTER TABLE leads ALTER COLUMN email SET NOT NULL;
