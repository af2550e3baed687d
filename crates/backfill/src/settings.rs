//! What the stage can be told.

use std::time::Duration;

/// The settings of the stage; they may change between deploys, also in the middle of a backfill.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long all backfills together may take inside a deploy; the rest resumes at the next one.
    pub budget: Duration,
    /// Rows of the first batch; later ones adapt to `target`.
    pub batch_size: u32,
    /// How long one batch may hold its row locks.
    pub target: Duration,
    /// The adapted size stays at or above this, unless errors force it lower.
    pub min_batch: u32,
    /// The adapted size, and the rows that one batch looks at, stay at or below this.
    pub max_batch: u32,
    /// Between batches.
    pub pause: Duration,
    /// How long one stubborn row may hold up a batch, and how long the sweep waits for rows that others hold locked.
    pub lock_timeout: Duration,
    /// The longest that a batch's statement may take.
    pub statement_timeout: Duration,
    /// When the server ends a batch whose client has gone silent.
    pub idle_in_transaction_session_timeout: Duration,
    /// Batches between two progress events that are marked as milestones, for output that is no terminal.
    pub progress_every: u32,
    /// Sessions that work on one backfill at the same time, where its walk can be shared.
    pub workers: u32,
    /// How long a range stays with a worker that is not heard of, on the server's clock.
    pub lease: Duration,
    /// How the rows of a table are met.
    pub walk: Walk,
    /// How many rows that cannot be done are set aside before the backfill is given up.
    pub quarantine: QuarantineLimit,
}

/// How many rows that cannot be done are set aside. One always may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuarantineLimit {
    /// Rows.
    pub max_rows: u64,
    /// Share of the rows that match at the start.
    pub max_ratio: f64,
}

/// How the rows of a table are met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Walk {
    /// Over the heap's blocks, in stripes, where the table has them; else along the key.
    #[default]
    Blocks,
    /// Along the key.
    Keyset,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(20 * 60),
            batch_size: 200,
            target: Duration::from_millis(20),
            min_batch: 50,
            max_batch: 20_000,
            pause: Duration::ZERO,
            lock_timeout: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(120),
            idle_in_transaction_session_timeout: Duration::from_secs(120),
            progress_every: 10,
            workers: 1,
            lease: Duration::from_secs(60),
            walk: Walk::default(),
            quarantine: QuarantineLimit { max_rows: 100, max_ratio: 0.001 },
        }
    }
}
