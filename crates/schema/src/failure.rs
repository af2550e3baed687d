//! Why the gate did not open.

use std::time::Duration;

use postgres::Error;
use sql::Problem;

use crate::event::BlockedBy;
use crate::run::Done;

/// The gate's error: it carries what was applied before it, because that is in the database.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct GateError {
    /// Why.
    pub failure: Failure,
    /// What this run had applied.
    pub applied: Vec<Done>,
}

/// Why a migration is not in the database. Nothing of its file is, unless its statements run one by one.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Others held a lock for longer than the stage's patience.
    #[error("{problem}")]
    Blocked {
        /// The file, the table and how long.
        problem: Problem,
        /// Attempts made.
        attempts: u32,
        /// Time spent on them.
        waited: Duration,
        /// Who stood in the way of the last one.
        blocked_by: Vec<BlockedBy>,
    },
    /// The server refused a statement of the file.
    #[error("{problem}")]
    Refused {
        /// With a caret at the statement.
        problem: Problem,
        /// The server's report.
        report: Box<postgres::ServerError>,
    },
    /// A right is missing for a statement of the file.
    #[error("{0}")]
    Denied(Problem),
    /// A person cancelled a statement of the file.
    #[error("{0}")]
    Cancelled(Problem),
    /// A statement of the file ran into the stage's limit.
    #[error("{0}")]
    TooSlow(Problem),
    /// What of a statement is in cannot be told: it was sent earlier, or has failed after a COMMIT of its own.
    #[error("{0}")]
    InDoubt(Problem),
    /// The file ended the transaction it was run in.
    #[error("{0}")]
    EndedTransaction(Problem),
    /// A killed runner's transaction is still at work.
    #[error("a transaction of an earlier run is still at work (pid {pid})")]
    Orphan {
        /// Its backend.
        pid: i32,
    },
    /// The run lock is no longer ours.
    #[error("the run lock was lost: another deploy may have begun")]
    LockLost,
    /// A signal.
    #[error("interrupted")]
    Interrupted,
    /// The session failed outside of the file's own statements.
    #[error(transparent)]
    Session(#[from] Error),
}

impl Failure {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Blocked { problem, .. } | Failure::Refused { problem, .. } => problem.code,
            Failure::Denied(problem)
            | Failure::Cancelled(problem)
            | Failure::TooSlow(problem)
            | Failure::InDoubt(problem)
            | Failure::EndedTransaction(problem) => problem.code,
            Failure::Orphan { .. } => "E111",
            Failure::LockLost => "E302",
            Failure::Interrupted => "E113",
            Failure::Session(_) => "E112",
        }
    }

    /// Whether the same deploy may well succeed when it is simply run again.
    pub fn is_worth_another_try(&self) -> bool {
        matches!(
            self,
            Failure::Blocked { .. } | Failure::Orphan { .. } | Failure::Cancelled(_) | Failure::LockLost
        )
    }
}
