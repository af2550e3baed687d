//! The stages, and how they end.

use serde::Serialize;

/// The three stages, always in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// Migrations: a hard gate.
    Schema,
    /// Indexes: a warning stage.
    Index,
    /// Backfills: a warning stage.
    Backfill,
    /// Migrations with `phase: post`, after the services are back: a hard gate. Not a kind of file.
    Post,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageResult {
    /// Nothing was to be done.
    Unchanged,
    /// All of it was done.
    Done,
    /// Some of it was not; the deploy goes on.
    Warnings,
    /// The gate stayed shut.
    Failed,
    /// A signal, or the lock was lost.
    Interrupted,
    /// A stage before it stopped the deploy.
    NotRun,
}

impl StageName {
    /// As it is written in the ledger and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            StageName::Schema => "schema",
            StageName::Index => "index",
            StageName::Backfill => "backfill",
            StageName::Post => "post",
        }
    }
}

impl StageResult {
    /// As it is written in the ledger and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            StageResult::Unchanged => "unchanged",
            StageResult::Done => "done",
            StageResult::Warnings => "warnings",
            StageResult::Failed => "failed",
            StageResult::Interrupted => "interrupted",
            StageResult::NotRun => "not_run",
        }
    }
}
