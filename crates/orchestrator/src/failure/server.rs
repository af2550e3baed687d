//! What the server, its ledger, or the way there has refused.

use postgres::fitness::Unfit;
use postgres::wait::WaitError;
use postgres::{Class, Error, LockError};

use super::{Failure, Verdict};

impl Failure {
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
                Error::Tls(_) => Self::new(Verdict::Unusable, "E307", error.to_string())
                    .next("correct the environment's URL (sslmode, sslrootcert, the name that the certificate is for)"),
                Error::Address(_) => Self::new(Verdict::Unusable, "E307", error.to_string()).next(
                    "correct the environment's URL; in a user or a password / ? # @ % are written as %2F %3F %23 %40 %25",
                ),
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
}
