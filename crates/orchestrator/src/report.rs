//! How a deploy ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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
    /// The process's exit code, as it is in the records.
    pub exit: i32,
    /// From the first attempt to connect.
    pub duration: Duration,
    /// What fell short without failing the deploy.
    pub warnings: Vec<Warning>,
    /// Why it did not succeed.
    pub failure: Option<Failure>,
    /// The services, as the ledger has them; `None` where nobody has touched them.
    pub services: Option<&'static str>,
    /// What was done.
    pub summary: Summary,
}

/// What decides the exit code beside how the deploy ended. The records name the code, so it is decided here and once.
#[derive(Debug, Clone, Default)]
pub struct Exit {
    /// `--detailed-exitcode`: warnings are 3.
    pub detailed: bool,
    /// The number of the signal that asked for the stop; 0 as long as none did.
    pub signal: Arc<AtomicU8>,
}

impl Exit {
    /// The code of a deploy that ended like this.
    pub fn code(&self, verdict: Verdict) -> i32 {
        match (verdict, self.signal.load(Ordering::Relaxed)) {
            (Verdict::Warnings, _) if self.detailed => 3,
            (Verdict::Interrupted, signal @ 1..) => 128 + i32::from(signal),
            _ => verdict.exit_code(),
        }
    }
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

    /// The exit code that goes with it; [`Exit`] knows what else counts.
    pub fn exit_code(self) -> i32 {
        match self {
            Verdict::Succeeded | Verdict::Warnings => 0,
            Verdict::GateFailed => 1,
            Verdict::Unusable => 2,
            Verdict::Refused => 4,
            Verdict::Integrity => 5,
            Verdict::Guard => 6,
            Verdict::ServiceFailed => 7,
            Verdict::BeyondBudget => 8,
            Verdict::Unreachable => 69,
            Verdict::TryAgain => 75,
            Verdict::Denied => 77,
            Verdict::Interrupted => 143,
        }
    }
}
