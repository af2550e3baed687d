//! What happens around the stages.

use serde::Serialize;

use super::{FileProblem, StageName, StageResult};

/// An event around the stages. Durations are milliseconds.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(tag = "event")]
pub enum DeployEvent {
    /// The database did not answer yet.
    #[serde(rename = "connect.retrying")]
    ConnectRetrying {
        /// Attempts so far.
        attempt: u32,
        /// What the last one said.
        reason: String,
        /// How long until the next.
        retry_in_ms: u64,
    },
    /// Another deploy holds the lock and is waited for.
    #[serde(rename = "lock.waiting")]
    LockWaiting {
        /// Its backend.
        pid: i32,
        /// Where it comes from.
        host: String,
        /// How long it has been at it.
        age_ms: u64,
    },
    /// The deploy knows where it is and what it has to do.
    #[serde(rename = "deploy.planned")]
    Planned {
        /// Name of the pipeline.
        pipeline: String,
        /// Server version.
        server: String,
        /// Host, port and database.
        target: String,
        /// How the connection is encrypted.
        tls: Option<String>,
        /// Hash of the release.
        release: String,
        /// Hash of the plan.
        plan: String,
        /// Commit, where the files are a checkout.
        commit: Option<String>,
        /// Whether they differ from it.
        dirty: bool,
        /// Who asked.
        actor: String,
        /// Pending migrations.
        migrations: usize,
        /// Indexes to build, rebuild or drop.
        indexes: usize,
        /// Backfills to run.
        backfills: usize,
        /// Rows they may touch, where there is an estimate.
        backfill_rows: Option<u64>,
    },
    /// A gate of the environment was asked.
    #[serde(rename = "deploy.gate")]
    Gate {
        /// `promotion`, `soak`, `approvals`, `freeze` or `hold`.
        gate: String,
        /// `passed`, `refused`, or `overridden` by a person.
        answer: &'static str,
        /// The evidence, or what is missing.
        message: String,
        /// What was looked at, where it did not pass.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(default)]
        evidence: Vec<String>,
        /// The first moment at which it can pass by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        earliest: Option<String>,
        /// Why a person overrode it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The clock or a hold does not let backfills run; they go on when it does.
    #[serde(rename = "backfills.paused")]
    BackfillsPaused {
        /// Which window, or which hold.
        reason: String,
        /// Until when, where that is known.
        until: Option<String>,
    },
    /// Backfills go on.
    #[serde(rename = "backfills.go_on")]
    BackfillsGoOn,
    /// An earlier deployment died without saying how it ended.
    #[serde(rename = "deploy.closed_earlier")]
    ClosedEarlier {
        /// Its number.
        earlier: i64,
    },
    /// The deployment has its row in the ledger.
    #[serde(rename = "deploy.started")]
    Started,
    /// A stage begins.
    #[serde(rename = "stage.started")]
    StageStarted {
        /// Which.
        stage: StageName,
    },
    /// A stage has ended.
    #[serde(rename = "stage.finished")]
    StageFinished {
        /// Which.
        stage: StageName,
        /// How.
        result: StageResult,
        /// How long it took.
        duration_ms: u64,
    },
    /// A command of `services` has run.
    #[serde(rename = "services.stopped")]
    ServicesStopped {
        /// How long it took.
        duration_ms: u64,
    },
    /// A command of `services` has run.
    #[serde(rename = "services.started")]
    ServicesStarted {
        /// How long it took.
        duration_ms: u64,
    },
    /// No session of the application is left.
    #[serde(rename = "services.quiesced")]
    ServicesQuiesced {
        /// Its roles.
        roles: Vec<String>,
        /// How long their sessions took to end.
        duration_ms: u64,
    },
    /// Every health check is green.
    #[serde(rename = "services.healthy")]
    ServicesHealthy {
        /// How long that took after the start.
        duration_ms: u64,
    },
    /// A hook begins.
    #[serde(rename = "hook.started")]
    HookStarted {
        /// Such as `before_deploy`.
        point: &'static str,
        /// Its name.
        name: String,
    },
    /// A hook has succeeded.
    #[serde(rename = "hook.finished")]
    HookFinished {
        /// Such as `before_deploy`.
        point: &'static str,
        /// Its name.
        name: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// A hook has failed.
    #[serde(rename = "hook.failed")]
    HookFailed {
        /// Such as `before_deploy`.
        point: &'static str,
        /// Its name.
        name: String,
        /// Why.
        message: String,
    },
    /// Something of `verify` is as it has to be.
    #[serde(rename = "verify.passed")]
    Verified {
        /// Its name.
        name: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// Something of `verify` is not as it has to be.
    #[serde(rename = "verify.failed")]
    VerificationFailed {
        /// Its name.
        name: String,
        /// What it is instead.
        message: String,
    },
    /// Something about the services has failed.
    #[serde(rename = "services.failed")]
    ServicesFailed {
        /// `stop`, `quiesced`, `start` or `health`.
        action: &'static str,
        /// Why.
        message: String,
    },
    /// Something fell short without failing the deploy.
    #[serde(rename = "deploy.warning")]
    Warning {
        /// W2xx.
        code: String,
        /// What and why.
        message: String,
        /// What to type next.
        next: Option<String>,
    },
    /// A person said which migrations the database has had.
    #[serde(rename = "history.baselined")]
    Baselined {
        /// The newest of them.
        at: String,
        /// How many.
        migrations: usize,
        /// Why.
        reason: String,
    },
    /// A person mended one migration's place in the history.
    #[serde(rename = "history.repaired")]
    Repaired {
        /// File name without ending.
        migration: String,
        /// What changed.
        effect: String,
        /// The hash that the history has for its file from now on, where that changed.
        checksum: Option<String>,
        /// Why.
        reason: String,
    },
    /// Migrations are about to be taken back.
    #[serde(rename = "rollback.started")]
    RollingBack {
        /// The migration that is to be the newest.
        to: u64,
        /// Why.
        reason: String,
    },
    /// The history that another tool has kept was carried over.
    #[serde(rename = "history.imported")]
    Imported {
        /// The tool.
        tool: String,
        /// Where it keeps its history.
        table: String,
        /// How many.
        migrations: usize,
        /// What a person has settled, such as `add_x=applied`.
        settled: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Indexes are repaired on request; nothing else of a deploy is done.
    #[serde(rename = "index_repair.started")]
    RepairStarted {
        /// Which; every invalid one where none was named.
        index: Option<String>,
        /// Who asked.
        actor: String,
    },
    /// The end.
    #[serde(rename = "deploy.finished")]
    Finished {
        /// How it ended.
        status: String,
        /// The process's exit code.
        exit: i32,
        /// From the first attempt to connect.
        duration_ms: u64,
        /// The code of what ended it, where it failed.
        code: Option<String>,
        /// What ended it, where it failed.
        message: Option<String>,
        /// What is wrong with files, with the places.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(default)]
        problems: Vec<FileProblem>,
        /// What to type or do next, where it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// The services, where they were touched: `stopped`, `started`, `healthy`, .., as in the ledger.
        #[serde(skip_serializing_if = "Option::is_none")]
        services: Option<String>,
    },
}
