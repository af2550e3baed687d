-- expect: domain-constraint
ALTER DOMAIN crm.email ADD CHECK (VALUE <> '');
