//! The fleet's own tables, in the control database.

use postgres::ledger::Component;

/// How each database of a fleet stands, and which waves a release is through.
pub const LEDGER: Component = Component {
    name: "fleet",
    steps: &["CREATE TABLE {schema}.fleet_targets ( \
           environment text NOT NULL, \
           name text NOT NULL, \
           place int NOT NULL, \
           wave text NOT NULL, \
           release text NOT NULL, \
           status text NOT NULL CHECK (status IN ('pending', 'running', 'done', 'warnings', 'failed', 'interrupted')), \
           deployment bigint NOT NULL REFERENCES {schema}.deployments, \
           of_target bigint, \
           code text, \
           message text, \
           started_at timestamptz, \
           finished_at timestamptz, \
           PRIMARY KEY (environment, name)); \
         COMMENT ON TABLE {schema}.fleet_targets IS 'how each database of a fleet ended when it was last deployed to; what it has, it says itself'; \
         COMMENT ON COLUMN {schema}.fleet_targets.deployment IS 'the fleet''s deployment, here'; \
         COMMENT ON COLUMN {schema}.fleet_targets.of_target IS 'the number of the deployment in the database''s own ledger'; \
         CREATE TABLE {schema}.fleet_waves ( \
           environment text NOT NULL, \
           release text NOT NULL, \
           wave text NOT NULL, \
           deployed_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           verified_at timestamptz, \
           PRIMARY KEY (environment, release, wave)); \
         COMMENT ON COLUMN {schema}.fleet_waves.deployed_at IS 'when something of it was last deployed: from then on it soaks'"],
};
