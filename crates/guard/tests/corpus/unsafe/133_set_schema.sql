-- expect: set-schema
ALTER TABLE leads SET SCHEMA archive;
