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
    /// The share of the time in which a worker is at work; the rest it sleeps. 1 is all of it.
    pub duty: f64,
    /// Rows per second, of all workers of a process together; none where it is not limited.
    pub rows_per_second: Option<u64>,
    /// What on the server slows it down or holds it up.
    pub throttle: Throttle,
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
    /// Migrations of the release that are not applied.
    pub pending_migrations: Vec<String>,
}

/// What on the server slows it down, and from where on it waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// Between two looks at the server.
    pub every: Duration,
    /// After how long without a look that succeeded it waits: what cannot be seen may be anything.
    pub blind: Duration,
    /// Our own milliseconds per row against their best, while others are at work: slower by half is half the pace, three
    /// times is a quarter.
    pub congestion: bool,
    /// How far a replica may be behind.
    pub replica_lag: Option<Duration>,
    /// Whether a replica that has vanished, or a slot that nobody reads, holds it up.
    pub missing_replicas: bool,
    /// Whether an archiver that fails holds it up.
    pub archiver: bool,
    /// How long others may wait for locks of ours.
    pub blocked_sessions: Option<Duration>,
    /// How old the oldest snapshot or prepared transaction may be: beside it, nothing can be pruned.
    pub longest_transaction: Option<Duration>,
    /// Bytes of WAL per second that the whole server may write.
    pub wal_per_second: Option<u64>,
    /// Sessions of others that may be at work at once, such as twice the server's cores.
    pub active_sessions: Option<u64>,
}

impl Throttle {
    /// For how long somebody whom a look has met counts as being at work.
    pub(crate) fn lately(&self) -> Duration {
        self.every * 5
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            blind: Duration::from_secs(15),
            congestion: true,
            replica_lag: Some(Duration::from_secs(10)),
            missing_replicas: true,
            archiver: true,
            blocked_sessions: Some(Duration::from_secs(1)),
            longest_transaction: Some(Duration::from_secs(5 * 60)),
            wal_per_second: None,
            active_sessions: None,
        }
    }
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
            duty: 1.0,
            rows_per_second: None,
            throttle: Throttle::default(),
            lock_timeout: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(120),
            idle_in_transaction_session_timeout: Duration::from_secs(120),
            progress_every: 10,
            workers: 1,
            lease: Duration::from_secs(60),
            walk: Walk::default(),
            quarantine: QuarantineLimit { max_rows: 100, max_ratio: 0.001 },
            pending_migrations: Vec::new(),
        }
    }
}
