-- expect: domain-constraint
ALTER DOMAIN email SET NOT NULL;
