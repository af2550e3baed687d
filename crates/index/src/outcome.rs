//! What became of each declaration. None of it fails the deploy.

use std::time::Duration;

use postgres::Warning;
use serde::Serialize;

/// What the stage did, item by item.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Indexes first, then tombstones, each in the order of the files.
    pub items: Vec<ItemOutcome>,
    /// One for each item that fell short.
    pub warnings: Vec<Warning>,
    /// Whether the stage was stopped before its end.
    pub interrupted: bool,
}

/// What became of one declaration.
#[derive(Debug, Clone)]
pub struct ItemOutcome {
    /// The index.
    pub name: String,
    /// Its table; empty for a tombstone of an index that is not there.
    pub table: String,
    /// Where it is declared, such as `indexes/leads.sql:3:1`.
    pub declared_at: String,
    /// How it ended.
    pub outcome: Settled,
    /// How long the stage was busy with it.
    pub duration: Duration,
    /// The index's size, where it is there.
    pub size_bytes: Option<i64>,
    /// Builds that were begun.
    pub attempts: u32,
    /// Why it fell short.
    pub reason: Option<String>,
    /// What to do next, where it fell short; `{env}` stands for the environment's name.
    pub next: Option<String>,
    /// Whether its file says that the deploy cannot go without it (`required`): a gate, where [`Self::is_missed`].
    pub required: bool,
    /// What the server refused, with its place in the file.
    pub problem: Option<sql::Problem>,
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It was as declared.
    Unchanged,
    /// Built in this run.
    Built,
    /// An invalid leftover was dropped and the index built.
    Repaired,
    /// Another session had built it, or finished building it while we waited.
    Adopted,
    /// The declared index has taken the place of another one of its name.
    Replaced,
    /// Not built: a valid index of another name is the same.
    Covered,
    /// A tombstone's index is gone.
    Dropped,
    /// A valid index of this name has another definition.
    Drifted,
    /// Not all partitions of its table have it.
    Incomplete,
    /// Valid, but whether it is as declared could not be found out.
    Uncompared,
    /// Others held it up until we gave up; nothing had been built yet.
    Blocked,
    /// Another session held the table or was building the index for longer than we wait.
    Busy,
    /// The server goes on building without us.
    Detached,
    /// Given up on request before anything was built.
    Cancelled,
    /// Not begun: its backfill is not complete yet.
    Deferred,
    /// Not begun: the budget was used up or the stage stopped.
    Skipped,
    /// It could not be done.
    Failed,
}

impl Settled {
    /// Whether it ended as the declaration wants it.
    pub fn is_fine(self) -> bool {
        matches!(
            self,
            Settled::Unchanged
                | Settled::Built
                | Settled::Repaired
                | Settled::Adopted
                | Settled::Replaced
                | Settled::Covered
                | Settled::Dropped
        )
    }

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Settled::Unchanged => "unchanged",
            Settled::Built => "built",
            Settled::Repaired => "repaired",
            Settled::Adopted => "adopted",
            Settled::Replaced => "replaced",
            Settled::Covered => "covered",
            Settled::Incomplete => "incomplete",
            Settled::Dropped => "dropped",
            Settled::Drifted => "drifted",
            Settled::Uncompared => "uncompared",
            Settled::Blocked => "blocked",
            Settled::Busy => "busy",
            Settled::Detached => "detached",
            Settled::Cancelled => "cancelled",
            Settled::Deferred => "deferred",
            Settled::Skipped => "skipped",
            Settled::Failed => "failed",
        }
    }
}

impl ItemOutcome {
    /// Whether the deploy cannot go on for want of it: it is required, and no valid index as declared is there.
    pub fn is_missed(&self) -> bool {
        self.required
            && !self.outcome.is_fine()
            && !matches!(self.outcome, Settled::Uncompared | Settled::Deferred)
    }

    /// The warning for what fell short, or for what people should know of.
    pub(crate) fn warning(&self, place: &str) -> Option<Warning> {
        // What waits for its time has not fallen short.
        let reason = self.reason.as_ref().filter(|_| self.outcome != Settled::Deferred)?;
        let on = if self.table.is_empty() { String::new() } else { format!(" on {}", self.table) };
        // What the server said carries its own, more exact place.
        let place = match &self.problem {
            Some(problem) => problem.place().map_or_else(
                || place.to_owned(),
                |at| format!("{}:{}:{}", problem.path.display(), at.line, at.column),
            ),
            None => place.to_owned(),
        };
        let outcome = self.outcome.as_str();
        let message = format!("{place}: index {}{on} {outcome}: {reason}", self.name);
        Some(Warning { code: crate::WARNING, message, next: self.next.clone() })
    }
}
