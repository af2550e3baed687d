//! Why a deploy did not succeed: what a person reads, and what a program decides on.

use std::time::Duration;

use postgres::fitness::Unfit;
use postgres::wait::WaitError;
use postgres::{Class, Error, LockError};
use sql::Problem;

mod consumer;
mod services;

/// How a deploy ended, by what the caller should do. The exit codes are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is in.
    Succeeded,
    /// The gate passed; a warning stage fell short.
    Warnings,
    /// The hard gate stayed shut.
    GateFailed,
    /// Configuration, files, or a server that cannot be deployed to.
    Unusable,
    /// A gate of the rollout refused; nothing was touched.
    Refused,
    /// History and files contradict each other; nothing was touched.
    Integrity,
    /// A migration breaks the iron rule, or holds a hazard that nobody has accepted; nothing was touched.
    Guard,
    /// A command of `services` failed.
    ServiceFailed,
    /// The database could not be reached in time.
    Unreachable,
    /// Others were in the way; nothing was applied; the same deploy may succeed later.
    TryAgain,
    /// Who we are, or what we want to do, is refused by the server.
    Denied,
    /// A signal ended it, at a safe point.
    Interrupted,
}

/// Why a deploy did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// What the caller should do.
    pub verdict: Verdict,
    /// Stable code, such as `E301`.
    pub code: &'static str,
    /// What happened: one lowercase sentence.
    pub message: String,
    /// Files with their places.
    pub problems: Vec<Problem>,
    /// More lines of evidence.
    pub evidence: Vec<String>,
    /// What to type or do next; `{env}` stands for the environment.
    pub next: Option<String>,
}

impl Failure {
    pub(crate) fn new(verdict: Verdict, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            verdict,
            code,
            message: message.into(),
            problems: Vec::new(),
            evidence: Vec::new(),
            next: None,
        }
    }

    /// What to type or do next.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What was typed cannot be done.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, "E272", message)
    }

    /// The embedded server, or this machine's files.
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, "E314", message)
    }

    /// Files that cannot be used.
    pub fn files(problems: Vec<Problem>) -> Self {
        let message = format!("{} in the release's files", counted(problems.len(), "problem"));
        Self { problems, ..Self::new(Verdict::Unusable, "E219", message) }
    }

    /// The history contradicts the files.
    pub(crate) fn integrity(findings: Vec<Problem>) -> Self {
        let message =
            format!("the files contradict the database's history: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E100", message) }
    }

    /// A database that has objects but no history of ours: which migrations it has had is for a person to say.
    pub(crate) fn unmanaged(state: &schema::State) -> Result<(), Self> {
        let mut next = "say up to which file it is: pgdeploy baseline --at VERSION --reason TEXT --env {env}; where what is there is not of this pipeline: pgdeploy baseline --none --reason TEXT --env {env}; or deploy to an empty database";
        let message = match state {
            schema::State::Fresh | schema::State::Managed => return Ok(()),
            schema::State::Unmanaged { objects: 1, example } => format!(
                "the database has a table, view or sequence ({example}) but no history: which migrations it has had is unknown"
            ),
            schema::State::Unmanaged { objects, example } => format!(
                "the database has {objects} tables, views or sequences ({example}) but no history: which migrations it has had is unknown"
            ),
            schema::State::Foreign { tool, table } => {
                next = "carry that history over: pgdeploy adopt --reason TEXT --env {env} (the files come from: pgdeploy init --from TOOL); or say up to which file it is: pgdeploy baseline --at VERSION --reason TEXT --env {env}";
                format!(
                    "{tool} keeps the history of this database in {table}: which of the files here it has had is unknown"
                )
            }
        };
        Err(Self::new(Verdict::Integrity, "E107", message).next(next))
    }

    /// The ledger is not what was written into it.
    pub fn tampered(findings: Vec<Problem>) -> Self {
        let message = format!("the ledger is not what was written: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E140", message) }.next(
            "compare with a backup, or with another environment's ledger, and find out who could write to it",
        )
    }

    pub(crate) fn baseline(message: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { evidence, ..Self::new(Verdict::Integrity, "E115", message) }
    }

    pub(crate) fn repair(message: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { evidence, ..Self::new(Verdict::Integrity, "E127", message) }
            .next("pgdeploy status --env {env} shows the history; nothing was touched")
    }

    /// What a throwaway server has shown to be wrong.
    pub fn rehearsal(code: &'static str, message: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::new(Verdict::Unusable, code, message) }
    }

    /// What warned where nothing can have been in the way.
    pub fn fell_short(evidence: Vec<String>) -> Self {
        let message = "on an empty database nothing is in the way, and still something fell short";
        Self { evidence, ..Self::new(Verdict::Unusable, "E133", message) }
            .next("correct the files that the lines above name")
    }

    pub(crate) fn no_way_back(migrations: &[String]) -> Self {
        let message = "not everything above that version can be taken back: no .down.sql stood beside the file when it was applied";
        Self { evidence: migrations.to_vec(), ..Self::new(Verdict::Integrity, "E129", message) }
            .next("go forward instead: pgdeploy new migration NAME, with what undoes it; nothing was touched")
    }

    pub(crate) fn data_loss(losses: Vec<Problem>) -> Self {
        let message = format!("the rollback takes data with it: {}", counted(losses.len(), "statement"));
        Self { problems: losses, ..Self::new(Verdict::Refused, "E128", message) }
            .next("save what is needed, then add --allow-data-loss; nothing was touched")
    }

    /// A rollback's own error, with what was taken back before it.
    pub(crate) fn rollback(error: schema::GateError, steps: usize, stopped: bool) -> Self {
        let done = error.applied.len();
        let mut failure = Self::gate(error, steps);
        failure.evidence.pop();
        failure.evidence.push(format!("{done} of {} taken back", counted(steps, "migration")));
        if stopped {
            failure.evidence.push("the services stay stopped: the rollback is half done".into());
        }
        failure.next(
            "correct what stands in the way, then the same rollback again, or: pgdeploy deploy --env {env}",
        )
    }

    /// Another tool's history leaves questions open, or cannot be read.
    pub fn adoption(findings: Vec<Problem>) -> Self {
        let message =
            format!("the history cannot be carried over yet: {}", counted(findings.len(), "finding"));
        Self { problems: findings, ..Self::new(Verdict::Integrity, "E700", message) }
    }

    pub(crate) fn required_indexes(names: &[String], after_backfills: bool) -> Self {
        let message = format!("required indexes are not there: {}; the warnings say why", names.join(", "));
        let backfills = if after_backfills { "" } else { "; the backfills have not run" };
        let next = format!("correct what the warnings name, then: pgdeploy deploy --env {{env}}{backfills}");
        Self::new(Verdict::GateFailed, "E116", message).next(next)
    }

    pub(crate) fn unknown_index(name: &str) -> Self {
        let message = format!("there is no index {name}, and no file declares one");
        Self::new(Verdict::Unusable, "E134", message).next("pgdeploy index list --env {env}")
    }

    /// What the guard refuses, by the text or by a run on a throwaway server.
    pub fn guard(problems: Vec<Problem>) -> Self {
        let message = format!("the guard refuses the release: {}", counted(problems.len(), "finding"));
        Self { problems, ..Self::new(Verdict::Guard, "E500", message) }
            .next("pgdeploy explain RULE says why and what to write instead; rows belong into backfills/, indexes into indexes/")
    }

    /// Nothing can be run on a throwaway server.
    pub fn unprovable(why: &str) -> Self {
        Self::new(Verdict::Unusable, "E507", format!("nothing can be proven: {why}"))
            .next("install PostgreSQL's server programs here (initdb, postgres, psql, pg_dump), or plan without --prove")
    }

    /// An exchange with the server failed where nobody expected it to.
    pub fn session(error: Error) -> Self {
        match error.class() {
            Class::Unavailable => Self::new(Verdict::Unreachable, "E301", error.to_string())
                .next("when the database is back: pgdeploy deploy --env {env}"),
            Class::Authentication => {
                Self::new(Verdict::Denied, "E303", format!("the server refuses the login: {error}"))
                    .next("check user, password and pg_hba.conf")
            }
            Class::Permission => Self::new(Verdict::Denied, "E304", format!("a right is missing: {error}"))
                .next("grant it to the role that deploys, or deploy as the owner of the objects"),
            Class::NoDatabase => Self::new(Verdict::Unusable, "E305", error.to_string())
                .next("create the database, or correct its name in the environment's URL"),
            Class::Contention => Self::new(
                Verdict::TryAgain,
                "E313",
                format!("others hold locks on what has to be read or recorded: {error}"),
            )
            .next("when they have let go: pgdeploy deploy --env {env}"),
            _ => match error {
                Error::NewerLedger { .. } => Self::new(Verdict::Unusable, "E306", error.to_string())
                    .next("use the pgdeploy that wrote it, or a newer one"),
                Error::Tls(_) | Error::Address(_) => Self::new(Verdict::Unusable, "E307", error.to_string())
                    .next("correct the environment's URL (sslmode, sslrootcert)"),
                _ => match error.sqlstate() {
                    // undefined_table, _column, _function, _schema: nothing of ours asks for what it does not know.
                    Some("42P01" | "42703" | "42883" | "3F000") => Self::damaged(error.to_string()),
                    _ => Self::new(Verdict::GateFailed, "E308", error.to_string())
                        .next("if nothing of yours explains it, it is a bug: report it with this line"),
                },
            },
        }
    }

    /// Something of the ledger is missing.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, "E315", format!("the ledger is damaged: {}", message.into())).next(
            "restore its schema from a backup (pg_restore --schema); without one: ALTER SCHEMA .. RENAME it out of the way, \
             then pgdeploy baseline --at VERSION --reason TEXT --env {env}",
        )
    }

    /// The role could not even make the ledger.
    pub(crate) fn may_not_create(role: &str, what: &str, grant: &str) -> Self {
        let message = format!("a right is missing: the role {role} may not create {what}");
        Self::new(Verdict::Denied, "E304", message).next(format!("{grant}; or deploy as the owner"))
    }

    pub(crate) fn wait(error: WaitError) -> Self {
        match error {
            WaitError::Refused(error) => Self::session(error),
            timed_out @ WaitError::TimedOut { .. } => Self::new(
                Verdict::Unreachable,
                "E301",
                timed_out.to_string(),
            )
            .next(
                "see that the server runs and accepts connections from here; connect.wait sets the patience",
            ),
        }
    }

    pub(crate) fn unfit(error: Unfit) -> Self {
        match error {
            Unfit::Session(error) => Self::session(error),
            pooler @ Unfit::TransactionPooler(_) => Self::new(Verdict::Unusable, "E309", pooler.to_string())
                .next("give the environment the server's own address, or a pooler in session mode"),
            old @ Unfit::TooOld(_) => Self::new(Verdict::Unusable, "E310", old.to_string()),
        }
    }

    pub(crate) fn lock(error: LockError) -> Self {
        match error {
            LockError::Session(error) => Self::session(error),
            held @ LockError::Held(_) => Self::new(Verdict::TryAgain, "E311", held.to_string())
                .next("wait for it, or let pgdeploy wait: lock: { wait: 10m } in pipeline.yaml"),
        }
    }

    pub(crate) fn no_such_backfill(id: &str, all: &[&str]) -> Self {
        let message = format!("there is no backfill {id} in this release");
        let known = if all.is_empty() { "it has none".into() } else { format!("it has {}", all.join(", ")) };
        Self::new(Verdict::Unusable, "E280", message).next(known)
    }

    pub(crate) fn nothing_to_steer(id: &str, state: Option<&str>) -> Self {
        let message = match state {
            Some(state) => format!("{id} is {state}: there is nothing to steer"),
            None => format!("{id} has not been run yet: there is nothing to steer"),
        };
        Self::new(Verdict::Unusable, "E281", message).next("pgdeploy backfill list --env {env}")
    }

    pub(crate) fn stale(id: &str, revision: i32, last: &str) -> Self {
        let message = format!("somebody else has asked for something of {id} meanwhile: {last}");
        Self::new(Verdict::Refused, "E403", message).next(format!(
            "look, and ask again: pgdeploy backfill list --env {{env}}, then --revision {revision}"
        ))
    }

    pub(crate) fn other_pipeline(found: &str, ledger: &str) -> Self {
        Self::new(
            Verdict::Unusable,
            "E312",
            format!("the ledger in schema {ledger} belongs to the pipeline {found}"),
        )
        .next("give this pipeline a ledger of its own: ledger_schema: pgdeploy_<name> in pipeline.yaml")
    }

    pub(crate) fn lock_lost() -> Self {
        Self::new(
            Verdict::TryAgain,
            "E302",
            "the run lock was lost: its session died, so another deploy may have begun",
        )
        .next("pgdeploy status --env {env}, then pgdeploy deploy --env {env}")
    }

    pub(crate) fn interrupted(what: impl Into<String>) -> Self {
        Self::new(Verdict::Interrupted, "E113", what).next("go on with: pgdeploy deploy --env {env}")
    }

    /// The gate's own error, with what was applied before it.
    pub(crate) fn gate(error: schema::GateError, pending: usize) -> Self {
        let done = error.applied.len();
        let so_far = format!(
            "{done} of {} of this deploy {} in the database",
            counted(pending, "migration"),
            if done == 1 { "is" } else { "are" }
        );
        let retry = error.failure.is_worth_another_try() && done == 0;
        let verdict = if retry { Verdict::TryAgain } else { Verdict::GateFailed };
        let code = error.failure.code();
        let message = error.failure.to_string();
        let mut failure = match error.failure {
            schema::Failure::Session(error) => Self::session(error),
            schema::Failure::Interrupted => Self::interrupted("interrupted in the schema stage"),
            schema::Failure::LockLost => Self::lock_lost(),
            schema::Failure::Orphan { pid } => Self::new(verdict, code, message).next(format!(
                "it ends when the server notices that its client is gone, or with: SELECT pg_terminate_backend({pid}); then: \
                 pgdeploy deploy --env {{env}}"
            )),
            schema::Failure::Denied(problem) => {
                let message = format!("a right is missing for {}, which was rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(Verdict::Denied, code, message) }
                    .next("grant it to the role that deploys, or deploy as the owner of the objects")
            }
            schema::Failure::Cancelled(problem) => {
                let message = format!("{} was cancelled on the server and rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(verdict, code, message) }
                    .next("ask who did (pg_cancel_backend), then: pgdeploy deploy --env {env}")
            }
            schema::Failure::TooSlow(problem) => {
                let message = format!("{} took too long and was rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(verdict, code, message) }.next(
                    "move what takes long into backfills/ or indexes/, or raise stages.schema.statement_timeout; then: pgdeploy deploy --env {env}",
                )
            }
            schema::Failure::InDoubt(problem) => {
                let next = problem.help.clone();
                let message = format!("{} is half done, and how far is unknown", problem.path.display());
                Self { problems: vec![problem], next, ..Self::new(verdict, code, message) }
            }
            schema::Failure::EndedTransaction(problem) => {
                let next = problem.help.clone();
                Self {
                    problems: vec![problem],
                    next,
                    ..Self::new(verdict, code, "a migration ended its own transaction")
                }
            }
            schema::Failure::Refused { problem, report } => {
                let mut evidence: Vec<String> = Vec::new();
                evidence.extend(report.detail.map(|detail| format!("detail: {detail}")));
                evidence.extend(report.context.map(|context| format!("context: {context}")));
                let message = format!("{} failed and was rolled back whole", problem.path.display());
                Self { problems: vec![problem], evidence, ..Self::new(verdict, code, message) }
                    .next("correct the file, then: pgdeploy deploy --env {env}")
            }
            schema::Failure::Blocked { problem, blocked_by, .. } => {
                let message = format!("{} was blocked and was rolled back whole", problem.path.display());
                let evidence = blocked_by.iter().map(blocker).collect();
                Self { problems: vec![problem], evidence, ..Self::new(verdict, code, message) }
                    .next("when the blocking transaction has ended: pgdeploy deploy --env {env}")
            }
        };
        failure.evidence.push(so_far);
        failure
    }
}

/// Who stood in the way, on one line.
fn blocker(by: &schema::BlockedBy) -> String {
    let age = Duration::from_millis(by.age_ms).as_secs_f64();
    format!(
        "blocked by pid {} {} {} ({}), its transaction open for {age:.1}s",
        by.pid, by.user, by.application, by.state
    )
}

/// `1 problem`, `2 problems`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
