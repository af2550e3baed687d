//! How a deploy ended.

use std::time::Duration;

use postgres::Warning;

use crate::failure::{Failure, Verdict};

/// What a deploy has to say at its end.
#[derive(Debug)]
pub struct Report {
    /// The deployment's number; `None` if it was refused before it had one.
    pub deployment: Option<i64>,
    /// What the caller should do.
    pub verdict: Verdict,
    /// From the first attempt to connect.
    pub duration: Duration,
    /// What fell short without failing the deploy.
    pub warnings: Vec<Warning>,
    /// Why it did not succeed.
    pub failure: Option<Failure>,
    /// What was done.
    pub summary: Summary,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Summary {
    /// Nothing was to be done in any stage.
    pub nothing_to_do: bool,
    /// Migrations that were applied.
    pub migrations: Vec<schema::Done>,
    /// Declared indexes with how each ended.
    pub indexes: Vec<index::ItemOutcome>,
    /// Backfills with how each ended.
    pub backfills: Vec<backfill::ItemOutcome>,
}

impl Verdict {
    /// The word in the ledger's `status` column.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Verdict::Succeeded => "succeeded",
            Verdict::Warnings => "warnings",
            Verdict::Interrupted => "interrupted",
            _ => "failed",
        }
    }

    /// The process's exit code. `--detailed-exitcode` turns [`Verdict::Warnings`] into 3, the signal's number decides
    /// between 130 and 143.
    pub fn exit_code(self) -> i32 {
        match self {
            Verdict::Succeeded | Verdict::Warnings => 0,
            Verdict::GateFailed => 1,
            Verdict::Unusable => 2,
            Verdict::Refused => 4,
            Verdict::Integrity => 5,
            Verdict::Guard => 6,
            Verdict::ServiceFailed => 7,
            Verdict::Unreachable => 69,
            Verdict::TryAgain => 75,
            Verdict::Denied => 77,
            Verdict::Interrupted => 143,
        }
    }
}
