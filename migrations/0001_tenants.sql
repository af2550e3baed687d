CREATE TABLE tenants (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug             text        NOT NULL,
    name             text        NOT NULL,
    plan             text        NOT NULL DEFAULT 'starter'
                     CONSTRAINT tenants_plan_check CHECK (plan IN ('starter', 'team', 'enterprise')),
    cents_per_minute integer     NOT NULL DEFAULT 9,
    created_at       timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN tenants.cents_per_minute IS 'what one started minute of an answered outbound call costs';
