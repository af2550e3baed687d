CREATE TABLE leads (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  bigint      NOT NULL CONSTRAINT leads_tenant_id_fkey REFERENCES tenants (id),
    name       text        NOT NULL,
    email      text        NOT NULL,
    status     text        NOT NULL DEFAULT 'new',
    created_at timestamptz NOT NULL DEFAULT now()
);
