//! What the stage tells while it runs.

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
    /// A file is in the database.
    #[serde(rename = "migration.applied")]
    Applied {
        /// File name without ending.
        migration: String,
        /// How long the attempt that succeeded took.
        duration_ms: u64,
        /// Attempts that gave way.
        retries: u32,
        /// How long those took.
        waited_ms: u64,
        /// Who stood in the way of the last one.
        blocked_by: Vec<BlockedBy>,
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
