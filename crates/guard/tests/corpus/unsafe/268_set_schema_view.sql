-- expect: set-schema
ALTER VIEW v SET SCHEMA crm;
