-- expect: domain-constraint
ALTER DOMAIN email ADD CONSTRAINT e CHECK (VALUE ~ '@');
