//! The orchestrator's own tables, and all components of the ledger together.

use postgres::ledger::Component;

/// Deployments, their journal, and which files have succeeded here.
const ORCHESTRATOR: Component = Component {
    name: "orchestrator",
    steps: &["CREATE TABLE {schema}.deployments ( \
           number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           pipeline text NOT NULL, \
           environment text NOT NULL, \
           release text NOT NULL, \
           plan text NOT NULL, \
           git_commit text, \
           git_dirty boolean, \
           actor text NOT NULL, \
           actor_source text NOT NULL, \
           host text NOT NULL, \
           tool_version text NOT NULL, \
           server_version text NOT NULL, \
           status text NOT NULL CHECK (status IN ('running', 'succeeded', 'warnings', 'failed', 'interrupted')), \
           stages jsonb NOT NULL DEFAULT '{}', \
           services text NOT NULL DEFAULT 'untouched' CHECK (services IN ('untouched', 'stopping', 'stopped', 'started')), \
           warnings jsonb NOT NULL DEFAULT '[]', \
           started_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           finished_at timestamptz, \
           exit_code int); \
         CREATE UNIQUE INDEX deployments_one_running ON {schema}.deployments (pipeline) WHERE status = 'running'; \
         CREATE TABLE {schema}.journal ( \
           deployment bigint NOT NULL REFERENCES {schema}.deployments, \
           seq bigint NOT NULL, \
           at timestamptz NOT NULL, \
           event text NOT NULL, \
           body jsonb NOT NULL, \
           PRIMARY KEY (deployment, seq)); \
         COMMENT ON TABLE {schema}.journal IS 'append-only; progress events are not kept, so seq has gaps here'; \
         CREATE FUNCTION {schema}.journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ \
           BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$; \
         CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.journal \
           FOR EACH STATEMENT EXECUTE FUNCTION {schema}.journal_is_append_only(); \
         CREATE TABLE {schema}.succeeded_files ( \
           stage text NOT NULL, \
           path text NOT NULL, \
           sha256 text NOT NULL, \
           deployment bigint NOT NULL REFERENCES {schema}.deployments, \
           succeeded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           PRIMARY KEY (stage, path, sha256)); \
         COMMENT ON TABLE {schema}.succeeded_files IS 'what environments that name this one in `after` may deploy'"],
};

/// Every table of ours, in the order in which they are created.
pub(crate) const COMPONENTS: [Component; 4] = [ORCHESTRATOR, schema::LEDGER, index::LEDGER, backfill::LEDGER];
