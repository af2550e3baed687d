-- expect: none
ALTER TABLE leads ADD COLUMN a timestamptz DEFAULT statement_timestamp(), ADD COLUMN b text DEFAULT session_user, ADD COLUMN c bigint DEFAULT txid_current(), ADD COLUMN d text DEFAULT current_setting('app.tenant', true), ADD COLUMN e timestamp DEFAULT timezone('utc', now());
