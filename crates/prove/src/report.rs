//! What was measured of one file.

use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use crate::lock_mode::LockMode;

/// One migration on the throwaway server.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct FileReport {
    /// The file, relative to the pipeline's directory.
    pub path: PathBuf,
    /// Whether its statements shared one transaction.
    pub transaction: bool,
    /// Its statements, in order; up to the one that failed.
    pub statements: Vec<StatementReport>,
    /// The strongest lock on each relation that existed before, in the order in which they were first locked, and how long
    /// each was held: up to the COMMIT.
    pub held: Vec<Held>,
    /// From BEGIN to COMMIT.
    pub duration_ms: f64,
    /// What the server said to the statement that failed, or to the COMMIT.
    pub failed: Option<String>,
}

/// One statement.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct StatementReport {
    /// From 1.
    pub line: usize,
    /// Its first line.
    pub text: String,
    /// Its bytes in the file.
    #[serde(skip)]
    pub span: Range<usize>,
    /// How long it ran.
    pub duration_ms: f64,
    /// Locks that it took, or made stronger, on relations that existed before the file.
    pub locks: Vec<LockReport>,
    /// Relations that existed before and have new files: tables and indexes, no sequences.
    pub rewritten: Vec<String>,
    /// Relations that existed before and were read from end to end.
    pub scans: Vec<Scan>,
    /// Rows that changed in tables that existed before the file: none, in a migration.
    pub rows: Vec<RowChange>,
    /// What the server said of its work, such as `rewriting table "leads"`.
    pub server: Vec<String>,
    /// What it wrote ahead.
    pub wal_bytes: u64,
    /// Whether it ran outside of a transaction, watched from a second connection: locks that it held for less than some
    /// milliseconds may be missing, scans and rows are not counted.
    pub sampled: bool,
    /// How long it would take on the target, table by table that it goes through.
    pub estimates: Vec<Estimate>,
}

/// One lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LockReport {
    /// The relation.
    pub relation: String,
    /// Its mode.
    pub mode: LockMode,
    /// What an application cannot do meanwhile.
    pub blocks: &'static str,
}

/// The strongest lock on one relation.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Held {
    /// The relation.
    pub relation: String,
    /// Its strongest mode.
    pub mode: LockMode,
    /// From the statement that took that one to the end.
    pub held_ms: f64,
}

/// A relation that was read from end to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Scan {
    /// The relation.
    pub relation: String,
    /// How often.
    pub times: i64,
    /// Rows that were read.
    pub rows: i64,
}

/// Rows that changed; three zeros: a statement that changes rows has run, and none matched it here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RowChange {
    /// The table.
    pub relation: String,
    /// Rows that came.
    pub inserted: i64,
    /// Rows that changed.
    pub updated: i64,
    /// Rows that went; those of a TRUNCATE are not counted by the server.
    pub deleted: i64,
}

/// How long it would take on the target.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Estimate {
    /// The table that it goes through.
    pub relation: String,
    /// `reltuples` of the target.
    pub target_rows: Option<u64>,
    /// The size on the target.
    pub target_bytes: Option<u64>,
    /// The measured rate times the target's size.
    pub duration_ms: Option<f64>,
    /// Why there is no duration.
    pub not_measurable: Option<String>,
}

impl FileReport {
    /// Statements that changed rows of tables that existed before.
    pub fn changed_rows(&self) -> impl Iterator<Item = &StatementReport> {
        self.statements.iter().filter(|statement| !statement.rows.is_empty())
    }
}
