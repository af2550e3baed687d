//! What the stage tells while it runs.

use serde::Serialize;

/// An event of the backfill stage.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(tag = "event")]
pub enum Event {
    /// Work on a definition begins or goes on.
    #[serde(rename = "backfill.started")]
    Started {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows that match, by a sample of the table; exact for small tables.
        estimated_rows: u64,
        /// Rows that earlier runs have done.
        rows: u64,
        /// Whether an earlier run has begun.
        resumed: bool,
    },
    /// How far it is: at most ten a second, and one at the end.
    #[serde(rename = "backfill.progress")]
    Progress {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows done, earlier runs included.
        rows: u64,
        /// Rows that matched at the start, by a sample of the table.
        estimated_rows: u64,
        /// Rows per second of this run.
        rows_per_second: f64,
        /// Rows that the next batch will take.
        batch_size: u32,
        /// Committed batches of this run.
        batches: u64,
        /// Rows left for the sweep because others hold them locked.
        skipped: u64,
        /// Seconds that the rest will take at this speed; nothing where that is unknown.
        seconds_left: Option<f64>,
        /// One in `progress_every` batches, and the last: enough where there is no terminal.
        milestone: bool,
    },
    /// The walk is over; the rows that were locked are visited again.
    #[serde(rename = "backfill.sweeping")]
    Sweeping {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows to visit again.
        skipped: u64,
    },
    /// All is proven again on live data: no row matches any more.
    #[serde(rename = "backfill.verifying")]
    Verifying {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
    },
    /// The server's state leaves more or less to it than before.
    #[serde(rename = "backfill.throttled")]
    Throttled {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// `free`, `slow` or `pause`.
        level: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// What was dead in the table is cleared away.
    #[serde(rename = "backfill.vacuumed")]
    Vacuumed {
        /// File name without ending.
        id: String,
        /// The table, or the partition.
        table: String,
        /// How long it took.
        seconds: f64,
    },
    /// The connection is lost; the work goes on from the last committed batch.
    #[serde(rename = "backfill.reconnecting")]
    Reconnecting {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Why.
        reason: String,
    },
    /// Complete, and proven to be.
    #[serde(rename = "backfill.completed")]
    Completed {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows done, earlier runs included.
        rows: u64,
        /// How long this run took.
        seconds: f64,
    },
    /// Stopped at a safe point; it resumes there.
    #[serde(rename = "backfill.incomplete")]
    Incomplete {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows done, earlier runs included.
        rows: u64,
        /// Rows that matched at the start, by a sample of the table.
        estimated_rows: u64,
        /// How long this run took.
        seconds: f64,
        /// Why.
        reason: String,
    },
    /// It cannot go on as it is.
    #[serde(rename = "backfill.failed")]
    Failed {
        /// File name without ending.
        id: String,
        /// The table whose rows are walked.
        table: String,
        /// Rows done, earlier runs included.
        rows: u64,
        /// How long this run took.
        seconds: f64,
        /// SQLSTATE, where the server spoke.
        sqlstate: Option<String>,
        /// What happened.
        reason: String,
    },
}
