//! The orchestrator's own tables, and all components of the ledger together.

use postgres::ledger::Component;

use crate::release::Release;

/// The hash of a row of the journal, as SQL: over the hash before it and all that the row says, as the text of a JSON array,
/// in which nothing can be taken for something else. Proofs compute it themselves: a function in the database could be
/// changed with the rows. Both must stay the same for ever.
macro_rules! journal_hash {
    ($previous:literal, $row:literal) => {
        concat!(
            "pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(pg_catalog.encode(",
            $previous,
            ", 'hex'), ",
            $row,
            ".deployment, ",
            $row,
            ".seq, pg_catalog.to_char(",
            $row,
            ".at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), ",
            $row,
            ".event, ",
            $row,
            ".body)::pg_catalog.text, 'UTF8'))"
        )
    };
}

pub(crate) use journal_hash;

/// The version of [`ORCHESTRATOR`] that chains the journal.
pub(crate) const CHAINED_SINCE: i32 = 2;

/// Deployments, their journal, and which files have succeeded here.
const ORCHESTRATOR: Component = Component {
    name: "orchestrator",
    steps: &[
        "CREATE TABLE {schema}.deployments ( \
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
         COMMENT ON TABLE {schema}.succeeded_files IS 'what environments that name this one in `after` may deploy'",
        concat!(
            "ALTER TABLE {schema}.deployments ADD COLUMN journal_head bytea, \
               ADD COLUMN journal_missing int NOT NULL DEFAULT 0, \
               ADD COLUMN vouched boolean NOT NULL DEFAULT false; \
             COMMENT ON COLUMN {schema}.deployments.journal_head IS 'the hash of the last row of its journal when it ended'; \
             COMMENT ON COLUMN {schema}.deployments.journal_missing IS 'how many events could not be written'; \
             COMMENT ON COLUMN {schema}.deployments.vouched IS 'somebody said that none of the migrations had run here then'; \
             ALTER TABLE {schema}.journal ADD COLUMN previous bytea, ADD COLUMN hash bytea; \
             COMMENT ON COLUMN {schema}.journal.hash IS 'SHA-256 over the row and the hash before it; NULL in rows from before the chain'; \
             CREATE UNIQUE INDEX journal_previous ON {schema}.journal (previous); \
             CREATE FUNCTION {schema}.journal_is_chained() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$ \
               BEGIN \
                 SELECT j.hash INTO NEW.previous FROM {schema}.journal j \
                   WHERE j.deployment = NEW.deployment AND j.hash IS NOT NULL ORDER BY j.seq DESC LIMIT 1; \
                 IF NEW.previous IS NULL THEN \
                   SELECT j.hash INTO NEW.previous FROM {schema}.journal j \
                     WHERE j.hash IS NOT NULL ORDER BY j.deployment DESC, j.seq DESC LIMIT 1; \
                 END IF; \
                 NEW.previous := coalesce(NEW.previous, ''::bytea); \
                 NEW.hash := ",
            journal_hash!("NEW.previous", "NEW"),
            "; RETURN NEW; END $$; \
             CREATE TRIGGER chained BEFORE INSERT ON {schema}.journal \
               FOR EACH ROW EXECUTE FUNCTION {schema}.journal_is_chained()"
        ),
        "ALTER TABLE {schema}.deployments DROP CONSTRAINT deployments_services_check, \
           ADD CONSTRAINT deployments_services_check CHECK (services IN ('untouched', 'stopping', 'stopped', 'quiesced', 'starting', 'started', 'healthy', 'unhealthy')); \
         COMMENT ON COLUMN {schema}.deployments.services IS 'written before each act and after it; started means that no health check has been green yet, where there are some'; \
         CREATE TABLE {schema}.hooks ( \
           deployment bigint NOT NULL REFERENCES {schema}.deployments, \
           point text NOT NULL, \
           name text NOT NULL, \
           status text NOT NULL CHECK (status IN ('running', 'done', 'failed', 'settled')), \
           output text NOT NULL DEFAULT '', \
           started_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           finished_at timestamptz, \
           PRIMARY KEY (deployment, point, name)); \
         COMMENT ON COLUMN {schema}.hooks.output IS 'the end of what it said, without secrets'",
        "ALTER TABLE {schema}.deployments ADD COLUMN unproven boolean NOT NULL DEFAULT false; \
         COMMENT ON COLUMN {schema}.deployments.unproven IS 'something was changed, by it or before it, and verify and the hooks after it have not passed since'",
    ],
};

/// What people have agreed to, and what they have stopped. `db_role` is who the server says it was.
const GATES: Component = Component {
    name: "gates",
    steps: &["CREATE TABLE {schema}.approvals ( \
           number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           environment text NOT NULL, \
           plan text NOT NULL, \
           release text NOT NULL, \
           items text[] NOT NULL, \
           approver text NOT NULL, \
           approver_source text NOT NULL, \
           host text NOT NULL, \
           db_role text NOT NULL DEFAULT session_user, \
           note text, \
           approved_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           expires_at timestamptz NOT NULL, \
           revoked_at timestamptz, \
           revoked_by text, \
           revoked_source text, \
           revoke_reason text); \
         COMMENT ON COLUMN {schema}.approvals.items IS 'what the plan would do: a deploy that was interrupted goes on with what is left of it'; \
         CREATE TABLE {schema}.holds ( \
           number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           environment text NOT NULL, \
           scope text NOT NULL CHECK (scope IN ('environment', 'release', 'backfill')), \
           subject text CHECK ((subject IS NULL) = (scope = 'environment')), \
           reason text NOT NULL, \
           placed_by text NOT NULL, \
           placed_source text NOT NULL, \
           host text NOT NULL, \
           db_role text NOT NULL DEFAULT session_user, \
           placed_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           until timestamptz, \
           lifted_at timestamptz, \
           lifted_by text, \
           lifted_source text, \
           lift_reason text)"],
};

/// Every table of ours, in the order in which they are created.
pub(crate) const COMPONENTS: [Component; 6] =
    [ORCHESTRATOR, schema::LEDGER, index::LEDGER, backfill::LEDGER, GATES, fleet::LEDGER];

/// What a hold or an approval is written into, and what every plan reads, whatever release it comes from: it must not
/// have to wait for a deploy.
pub(crate) const FOR_GATES: [Component; 3] = [ORCHESTRATOR, schema::LEDGER, GATES];

/// What account of a fleet is kept in.
pub(crate) const FOR_FLEETS: [Component; 4] = [ORCHESTRATOR, schema::LEDGER, GATES, fleet::LEDGER];

/// What a backfill is run with beside a deploy.
pub(crate) const FOR_BACKFILLS: [Component; 3] = [ORCHESTRATOR, schema::LEDGER, backfill::LEDGER];

/// Those that a release needs: the tables of a stage with nothing in it are not made before something is.
pub(crate) fn needed(release: &Release) -> Vec<Component> {
    // A hold has to be possible in the middle of a deploy, and so its table is there from the first one on.
    let mut needed = vec![ORCHESTRATOR, schema::LEDGER, GATES];
    needed.extend((!release.indexes.is_empty()).then_some(index::LEDGER));
    needed.extend((!release.backfills.is_empty()).then_some(backfill::LEDGER));
    needed
}
