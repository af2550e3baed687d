-- One sign-in address per tenant, whatever its case.
CREATE UNIQUE INDEX tenants_slug_key ON tenants (lower(slug));
