//! What the stage tells while it runs.

use std::time::Duration;

use postgres::holders::Blocker;
use serde::Serialize;

/// An event of the schema stage. Durations are milliseconds.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(tag = "event")]
pub enum Event {
    /// A file is about to be applied.
    #[serde(rename = "migration.started")]
    Started {
        /// File name without ending.
        migration: String,
    },
    /// An attempt gave way to others and was rolled back whole.
    #[serde(rename = "migration.retrying")]
    Retrying {
        /// File name without ending.
        migration: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// SQLSTATE: 55P03, 40P01 or 40001.
        sqlstate: String,
        /// How long the attempt took.
        waited_ms: u64,
        /// How long until the next.
        retry_in_ms: u64,
        /// Who stood in the way, as far as it was seen.
        blocked_by: Vec<BlockedBy>,
    },
    /// Old transactions hold locks on the file's tables: they are waited for without queueing.
    #[serde(rename = "migration.waiting")]
    Waiting {
        /// File name without ending.
        migration: String,
        /// Whose they are.
        blocked_by: Vec<BlockedBy>,
    },
    /// A session that stood idle in the way was ended, as `kill_blockers` allows.
    #[serde(rename = "migration.blocker_ended")]
    BlockerEnded {
        /// File name without ending.
        migration: String,
        /// Whose it was.
        blocker: BlockedBy,
    },
    /// A statement of a file with `transaction: false` is in the database.
    #[serde(rename = "migration.statement")]
    Statement {
        /// File name without ending.
        migration: String,
        /// How many are in.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// The server said something while a file ran.
    #[serde(rename = "migration.notice")]
    Notice {
        /// File name without ending.
        migration: String,
        /// What.
        #[serde(flatten)]
        notice: postgres::Notice,
    },
    /// A file's time has not come; it is looked at again at the next deploy.
    #[serde(rename = "migration.deferred")]
    Deferred {
        /// File name without ending.
        migration: String,
        /// What it waits for.
        reason: String,
    },
    /// A file is in the database.
    #[serde(rename = "migration.applied")]
    Applied {
        /// File name without ending.
        migration: String,
        /// SHA-256 of the file.
        checksum: String,
        /// How long the attempt that succeeded took.
        duration_ms: u64,
        /// Attempts that gave way.
        retries: u32,
        /// How long those took.
        waited_ms: u64,
        /// Who stood in the way of the last one.
        blocked_by: Vec<BlockedBy>,
    },
    /// The snapshot is in, and with it the files that it stands for.
    #[serde(rename = "snapshot.loaded")]
    Snapshot {
        /// Its file.
        path: String,
        /// How many files it stands for.
        covers: usize,
        /// How long it took.
        duration_ms: u64,
    },
    /// A migration is about to be taken back.
    #[serde(rename = "migration.rolling_back")]
    RollingBack {
        /// File name without ending.
        migration: String,
    },
    /// A migration is taken back.
    #[serde(rename = "migration.rolled_back")]
    RolledBack {
        /// File name without ending.
        migration: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// A file could not be applied; nothing of it is in the database.
    #[serde(rename = "migration.failed")]
    Failed {
        /// File name without ending.
        migration: String,
        /// E1xx.
        code: String,
        /// What happened.
        message: String,
    },
    /// A killed runner's transaction is still busy; it is waited for.
    #[serde(rename = "migration.orphan")]
    Orphan {
        /// The backend that holds on.
        pid: i32,
    },
    /// The rows of an embedded database are in.
    #[serde(rename = "fixtures.loaded")]
    Fixtures {
        /// The file.
        path: String,
        /// How long it took.
        duration_ms: u64,
    },
}

/// A session that stood in the way.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BlockedBy {
    /// Its backend.
    pub pid: i32,
    /// Its role.
    pub user: String,
    /// Its application name.
    pub application: String,
    /// `active`, `idle in transaction`, ..
    pub state: String,
    /// How long its transaction had been open.
    pub age_ms: u64,
}

impl From<&Blocker> for BlockedBy {
    fn from(blocker: &Blocker) -> Self {
        Self {
            pid: blocker.pid,
            user: blocker.user.clone(),
            application: blocker.application.clone(),
            state: blocker.state.clone(),
            age_ms: (blocker.age_seconds.max(0.0) * 1000.0) as u64,
        }
    }
}

/// Whole milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
