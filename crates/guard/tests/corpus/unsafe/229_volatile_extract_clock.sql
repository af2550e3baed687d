-- expect: volatile-default
ALTER TABLE leads ADD COLUMN c float DEFAULT extract(epoch FROM clock_timestamp());
