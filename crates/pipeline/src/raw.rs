//! pipeline.yaml as it is written: the keys, and the words an editor shows for them.
//!
//! Everything is optional here, so that one problem does not hide the others; `schemars(required)` says what must be
//! there. Values are texts and numbers with their place; what they mean is decided in `reading`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::{At, Entries};
use crate::duration::Written;
use crate::limit as limits;

mod database;
mod fleet;
mod gates;
mod services;

pub(crate) use database::{Database, DatabaseSource, Fixtures};
pub(crate) use fleet::{Amount, Fleet, FleetTarget, Match, Wave};
pub(crate) use gates::{Approvals, PublicKeys, Receipt, Receipts, Window};
pub(crate) use services::{Command, Health, Hook, Hooks, Quiesced, Services, Verification};

/// How a release reaches its databases: the three stages, the environments, and what surrounds them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "pipeline.yaml", extend("x-not-supported-yet" = [
    "guard", "strategy"
]))]
pub(crate) struct Raw {
    /// The version of this format: 1.
    #[schemars(required, extend("const" = 1))]
    pub(crate) version: Option<At<u64>>,
    /// The name of the pipeline, part of the lock's key and of every record: 1 to 63 of a-z, 0-9, _ and -, a letter first.
    #[schemars(required, extend("pattern" = crate::name::PATTERN))]
    pub(crate) name: Option<At<String>>,
    /// The schema that holds pgdeploy's own tables in each target database. Default: pgdeploy.
    #[schemars(extend("default" = limits::LEDGER_SCHEMA, "pattern" = "^(?!pg_)[a-z_][a-z0-9_]{0,62}$"))]
    pub(crate) ledger_schema: Option<At<String>>,
    /// How to wait for a server that does not answer yet: exponential backoff with jitter.
    pub(crate) connect: Option<Connect>,
    /// The lock that keeps two deploys of this pipeline apart.
    pub(crate) lock: Option<Lock>,
    /// The three stages, always in this order: schema, index, backfill.
    pub(crate) stages: Option<Stages>,
    /// What is stopped before a schema change and started after it. Untouched where no schema change is pending.
    pub(crate) services: Option<Services>,
    /// Programs of yours at fixed points of a deploy that has something to do.
    pub(crate) hooks: Option<Hooks>,
    /// What has to be so after the deploy; a failure is exit 7.
    pub(crate) verify: Option<Vec<Verification>>,
    /// The databases a release goes to, by name.
    #[schemars(required)]
    pub(crate) environments: Option<Entries<Environment>>,
}

/// How to wait for a server that does not answer yet: exponential backoff with jitter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connect {
    /// How long to try in all. Default: 60s; at most 1 day.
    #[schemars(extend("default" = limits::CONNECT_WAIT.default_text()))]
    pub(crate) wait: Option<At<Written>>,
    /// The first pause between two tries; it doubles. Default: 250ms; at most 1 minute.
    #[schemars(extend("default" = limits::CONNECT_INITIAL.default_text()))]
    pub(crate) initial: Option<At<Written>>,
    /// The longest pause between two tries. Default: 5s; at most 10 minutes.
    #[schemars(extend("default" = limits::CONNECT_MAX.default_text()))]
    pub(crate) max: Option<At<Written>>,
}

/// The lock that keeps two deploys of this pipeline apart.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    /// How long to wait for another deploy of this pipeline to end. Default: 0s; at most 1 day.
    #[schemars(extend("default" = limits::LOCK_WAIT.default_text()))]
    pub(crate) wait: Option<At<Written>>,
}

/// The three stages, always in this order: schema, index, backfill.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stages {
    /// Migrations: the hard gate. A failure stops the deploy.
    pub(crate) schema: Option<SchemaStage>,
    /// Indexes, built CONCURRENTLY. A failure is a warning.
    pub(crate) index: Option<IndexStage>,
    /// Backfills, in small committed batches. What is left resumes at the next deploy.
    pub(crate) backfill: Option<BackfillStage>,
}

/// Migrations: the hard gate. A failure stops the deploy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaStage {
    /// The folder of migrations, beside pipeline.yaml. Default: migrations.
    #[schemars(extend("default" = limits::SCHEMA_PATH))]
    pub(crate) path: Option<At<String>>,
    /// How long one attempt may queue for a lock; everybody else queues behind it. Default: 500ms; 1ms to 10 minutes.
    #[schemars(extend("default" = limits::SCHEMA_LOCK_TIMEOUT.default_text()))]
    pub(crate) lock_timeout: Option<At<Written>>,
    /// How long whole transactions are retried after a lock_timeout. Default: 5m; at most 1 day.
    #[schemars(extend("default" = limits::SCHEMA_RETRY_FOR.default_text()))]
    pub(crate) retry_for: Option<At<Written>>,
    /// How long one statement may run. Default: 15m; 1ms to 7 days.
    #[schemars(extend("default" = limits::SCHEMA_STATEMENT_TIMEOUT.default_text()))]
    pub(crate) statement_timeout: Option<At<Written>>,
    /// The schemas in which unqualified names of a migration are looked up, such as [app, public]. Default: what the role has.
    #[schemars(length(min = 1))]
    pub(crate) search_path: Option<Vec<At<String>>>,
    /// The role that runs the migrations, and so owns what they make. Default: the one that logs in.
    pub(crate) role: Option<At<String>>,
    /// Whether sessions that hold up a migration are ended: never, or { idle_in_transaction_over: 5m }. Default: never.
    pub(crate) kill_blockers: Option<KillBlockers>,
    /// What a database without any object gets: migrate (every file runs) or snapshot (the snapshot is loaded, and the files it covers count as applied). Default: migrate.
    #[schemars(extend("default" = limits::WHEN_EMPTY[0], "enum" = limits::WHEN_EMPTY))]
    pub(crate) when_empty: Option<At<String>>,
    /// The file that `pgdeploy snapshot` writes, beside pipeline.yaml. Default: schema.sql.
    #[schemars(extend("default" = limits::SNAPSHOT_PATH))]
    pub(crate) snapshot: Option<At<String>>,
    /// What happens to a database with objects but no history: refuse, or baseline (every file counts as applied, unless the catalog contradicts). Default: refuse.
    #[schemars(extend("default" = limits::WHEN_UNMANAGED[0], "enum" = limits::WHEN_UNMANAGED))]
    pub(crate) when_unmanaged: Option<At<String>>,
}

/// Whether sessions that hold up a migration are ended.
// The variants are named by the kind of YAML they are read from; see `shape`. In the schema they are untagged.
#[derive(Deserialize, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum KillBlockers {
    /// never
    Text(At<String>),
    Mapping(IdleBlockers),
}

/// Which sessions are ended.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdleBlockers {
    /// Those that have stood idle in a transaction for longer than this; 1s to 1 day.
    #[schemars(required)]
    pub(crate) idle_in_transaction_over: Option<At<Written>>,
}

/// Indexes, built CONCURRENTLY. A failure is a warning.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndexStage {
    /// The folder of index declarations, beside pipeline.yaml. Default: indexes.
    #[schemars(extend("default" = limits::INDEX_PATH))]
    pub(crate) path: Option<At<String>>,
    /// How long the stage may take inside a deploy. Default: 2h; at most 7 days.
    #[schemars(extend("default" = limits::INDEX_BUDGET.default_text()))]
    pub(crate) budget: Option<At<Written>>,
    /// How many indexes are built at once, each on another table. Default: 2; at most 32.
    #[schemars(extend("default" = limits::INDEX_PARALLEL.default, "minimum" = 1, "maximum" = limits::INDEX_PARALLEL.most))]
    pub(crate) parallel: Option<At<u64>>,
    /// What is done about a valid index whose definition is not the declared one: warn, or replace. Default: warn.
    #[schemars(extend("default" = "warn", "enum" = ["warn", "replace"]))]
    pub(crate) on_drift: Option<At<String>>,
    /// What becomes of a build when the deploy is interrupted: detach (the server finishes it, and the next deploy adopts it), or cancel. Default: detach.
    #[schemars(extend("default" = "detach", "enum" = ["detach", "cancel"]))]
    pub(crate) on_interrupt: Option<At<String>>,
}

/// Backfills, in small committed batches. What is left resumes at the next deploy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillStage {
    /// The folder of backfills, beside pipeline.yaml. Default: backfills.
    #[schemars(extend("default" = limits::BACKFILL_PATH))]
    pub(crate) path: Option<At<String>>,
    /// How long the stage may take inside a deploy; the rest resumes at the next one. Default: 20m; at most 7 days.
    #[schemars(extend("default" = limits::BACKFILL_BUDGET.default_text()))]
    pub(crate) budget: Option<At<Written>>,
    /// Rows in the first batch; then adapted to the target within min_batch and max_batch. Default: 200.
    #[schemars(extend("default" = limits::BATCH_SIZE.default, "minimum" = 1, "maximum" = limits::BATCH_SIZE.most))]
    pub(crate) batch_size: Option<At<u64>>,
    /// How long one batch may hold its row locks. Default: 20ms; 1ms to 1 minute.
    #[schemars(extend("default" = limits::BATCH_TARGET.default_text()))]
    pub(crate) target: Option<At<Written>>,
    /// The fewest rows in a batch. Default: 50.
    #[schemars(extend("default" = limits::MIN_BATCH.default, "minimum" = 1, "maximum" = limits::MIN_BATCH.most))]
    pub(crate) min_batch: Option<At<u64>>,
    /// The most rows in a batch. Default: 20000; at most 1000000.
    #[schemars(extend("default" = limits::MAX_BATCH.default, "minimum" = 1, "maximum" = limits::MAX_BATCH.most))]
    pub(crate) max_batch: Option<At<u64>>,
    /// Sessions that work on one backfill at once, in each process. Default: 1; at most 64.
    #[schemars(extend("default" = limits::WORKERS.default, "minimum" = 1, "maximum" = limits::WORKERS.most))]
    pub(crate) workers: Option<At<u64>>,
    /// The share of the time in which a worker works, such as 50%; the rest it sleeps. Default: 100%.
    #[schemars(extend("default" = "100%", "pattern" = "^\\s*[0-9]{1,3}\\s*%\\s*$"))]
    pub(crate) duty: Option<At<String>>,
    /// What on the server slows backfills down or holds them up.
    pub(crate) throttle: Option<Throttle>,
    /// The pause between two batches. Default: 0s; at most 10 minutes.
    #[schemars(extend("default" = limits::BATCH_PAUSE.default_text()))]
    pub(crate) pause: Option<At<Written>>,
    /// How long a batch may wait for a lock. Default: 60s; 1ms to 1 hour.
    #[schemars(extend("default" = limits::BACKFILL_LOCK_TIMEOUT.default_text()))]
    pub(crate) lock_timeout: Option<At<Written>>,
    /// How long one batch may run. Default: 120s; 1ms to 1 day.
    #[schemars(extend("default" = limits::BACKFILL_STATEMENT_TIMEOUT.default_text()))]
    pub(crate) statement_timeout: Option<At<Written>>,
    /// After how long the server ends a batch whose client fell silent. Default: 120s; 1ms to 1 day.
    #[schemars(extend("default" = limits::BACKFILL_IDLE_TIMEOUT.default_text()))]
    pub(crate) idle_in_transaction_session_timeout: Option<At<Written>>,
    /// After how many batches a line of progress is written where there is no terminal. Default: 10.
    #[schemars(extend("default" = limits::PROGRESS_EVERY.default, "minimum" = 1, "maximum" = limits::PROGRESS_EVERY.most))]
    pub(crate) progress_every: Option<At<u64>>,
}

/// What on the server slows backfills down or holds them up. What cannot be seen for 15s holds them up, too.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Throttle {
    /// How far a replica may be behind: half of it is half the pace, all of it a pause. 0s: not looked at. Default: 10s.
    #[schemars(extend("default" = limits::REPLICA_LAG.default_text()))]
    pub(crate) replica_lag: Option<At<Written>>,
    /// How old a snapshot or a prepared transaction may be before the pace is halved. 0s: not looked at. Default: 5m.
    #[schemars(extend("default" = limits::LONGEST_TRANSACTION.default_text()))]
    pub(crate) longest_transaction: Option<At<Written>>,
    /// How long a session may wait for a lock of ours; from 100ms on batches are halved. 0s: not looked at. Default: 1s.
    #[schemars(extend("default" = limits::BLOCKED_SESSIONS.default_text()))]
    pub(crate) blocked_sessions: Option<At<Written>>,
    /// Megabytes of WAL that the whole server may write in a second. Default: 0, any number.
    #[schemars(extend("default" = 0, "minimum" = 0))]
    pub(crate) wal_mb_per_second: Option<At<u64>>,
    /// Sessions of others that may be at work at once. Default: 0, any number.
    #[schemars(extend("default" = 0, "minimum" = 0))]
    pub(crate) active_sessions: Option<At<u64>>,
    /// Rows in a second, of all workers of a process together. Default: 0, any number.
    #[schemars(extend("default" = 0, "minimum" = 0))]
    pub(crate) rows_per_second: Option<At<u64>>,
    /// A replica that has vanished, or a slot that nobody reads: `watch` (a pause) or `ignore`. Default: watch.
    #[schemars(extend("default" = "watch", "enum" = ["watch", "ignore"]))]
    pub(crate) missing_replicas: Option<At<String>>,
    /// An archiver that fails: `watch` (a pause) or `ignore`. Default: watch.
    #[schemars(extend("default" = "watch", "enum" = ["watch", "ignore"]))]
    pub(crate) archiver: Option<At<String>>,
    /// Our own rows take longer than at their best while others are at work: `watch` (half or a quarter of the pace) or `ignore`. Default: watch.
    #[schemars(extend("default" = "watch", "enum" = ["watch", "ignore"]))]
    pub(crate) congestion: Option<At<String>>,
}

/// A database that a release goes to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-not-supported-yet" = ["strategy"]))]
pub(crate) struct Environment {
    /// `embedded`, a URL such as "${PRODUCTION_DATABASE_URL}", or where to get it: { url_file: .. } or { url_command: [..] }.
    #[schemars(required)]
    pub(crate) database: Option<Database>,
    /// Many databases in place of one; `database` is then the one that keeps account of them.
    pub(crate) fleet: Option<Fleet>,
    /// The environments in which every pending file must have succeeded before, byte for byte.
    pub(crate) after: Option<Vec<At<String>>>,
    /// How long every pending file must have been in each environment of `after`, counted from the end of the first deploy there that ended well. At most 365 days.
    pub(crate) soak: Option<At<Written>>,
    /// Who has to agree to a plan before it is deployed.
    pub(crate) approvals: Option<Approvals>,
    /// When nothing is deployed, or when alone something is.
    pub(crate) freeze: Option<Vec<Window>>,
    /// The gates that a person may override with a reason, one at a time: any of promotion, soak, approvals, freeze, hold. Default: none.
    pub(crate) overrides: Option<Vec<At<String>>>,
    /// The signed receipt that a deploy that ended well writes.
    pub(crate) receipt: Option<Receipt>,
    /// Where the evidence of the environments in `after` comes from, in place of their databases.
    pub(crate) receipts: Option<Receipts>,
    /// Rows to work on, loaded once; for embedded databases only.
    pub(crate) fixtures: Option<Fixtures>,
    /// Settings of the stages that differ here.
    pub(crate) stages: Option<Stages>,
    /// This environment's services, in place of the pipeline's.
    pub(crate) services: Option<Services>,
    /// This environment's hooks, in place of the pipeline's.
    pub(crate) hooks: Option<Hooks>,
    /// This environment's verification, in place of the pipeline's.
    pub(crate) verify: Option<Vec<Verification>>,
}
