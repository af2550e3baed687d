//! What the stage tells while it runs.

use postgres::holders::Blocker;
use serde::Serialize;

/// An event of the index stage. Durations are milliseconds, sizes bytes.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(tag = "event")]
pub enum Event {
    /// A build is about to be sent to the server.
    #[serde(rename = "index.building")]
    Building {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// From 1; above 1 an earlier attempt gave way to others.
        attempt: u32,
        /// How large the table is.
        table_bytes: i64,
        /// How large the index will be, where the table's statistics tell; the server writes about as much again to its
        /// log, and to temporary files where the sort does not fit into `maintenance_work_mem`.
        estimated_bytes: Option<i64>,
    },
    /// How far a build is, ours or one that is adopted (`pg_stat_progress_create_index`, section 28.4.4).
    #[serde(rename = "index.progress")]
    Progress {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// PostgreSQL's name of the phase.
        phase: String,
        /// What `done` and `total` count.
        unit: Unit,
        /// In this phase.
        done: i64,
        /// In this phase; 0 where the server does not know.
        total: i64,
        /// Since the build was begun; for an adopted build, since it was found.
        elapsed_ms: u64,
    },
    /// Others stand in the way.
    #[serde(rename = "index.waiting")]
    Waiting {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// PostgreSQL's name of the phase, or `lock on the table` before the build is sent.
        phase: String,
        /// For how long.
        waited_ms: u64,
        /// Who; what is not seen is not listed.
        waits_for: Vec<WaitsFor>,
        /// Sessions that wait for the build in turn: they may end it with a deadlock.
        queued: Vec<WaitsFor>,
        /// What a person can do about those.
        advice: Option<String>,
    },
    /// A leftover of an earlier build is about to be dropped and built again.
    #[serde(rename = "index.repairing")]
    Repairing {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// Whether the leftover rejects duplicate rows although it is no use to any query.
        rejects_rows: bool,
    },
    /// Somebody else builds this index; the build is waited for.
    #[serde(rename = "index.adopting")]
    Adopting {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// The backend that builds it.
        pid: i32,
    },
    /// An attempt gave way to others and will be made again.
    #[serde(rename = "index.retrying")]
    Retrying {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// What the server said.
        message: String,
        /// How long until the next.
        retry_in_ms: u64,
    },
    /// The index is there and was seen to be valid.
    #[serde(rename = "index.built")]
    Built {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// Built, repaired or adopted.
        outcome: crate::Settled,
        /// How long it took, with what was waited for.
        duration_ms: u64,
        /// How large it is.
        size_bytes: i64,
    },
    /// A tombstone's index is gone.
    #[serde(rename = "index.dropped")]
    Dropped {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// The server goes on with the build without us.
    #[serde(rename = "index.detached")]
    Detached {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// The backend that builds it.
        pid: i32,
        /// Why we do not wait.
        reason: String,
    },
    /// The index is not built before its backfill is complete: later in this deploy, or in another.
    #[serde(rename = "index.deferred")]
    Deferred {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// The backfill.
        backfill: String,
        /// Why that one is not complete.
        reason: String,
    },
    /// The index is not as declared; the deploy goes on.
    #[serde(rename = "index.failed")]
    Failed {
        /// The index.
        index: String,
        /// Its table.
        table: String,
        /// Drifted, blocked, busy, cancelled, skipped or failed.
        outcome: crate::Settled,
        /// Why.
        message: String,
        /// Where the server refused it.
        sqlstate: Option<String>,
    },
}

/// What a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Blocks of the table or the index.
    Blocks,
    /// Rows.
    Tuples,
    /// Sessions that are waited for.
    Lockers,
}

/// A session that a build waits for.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct WaitsFor {
    /// Its backend.
    pub pid: i32,
    /// Its role.
    pub user: String,
    /// Its application name.
    pub application: String,
    /// `active`, `idle in transaction`, ..
    pub state: String,
    /// How long its transaction has been open.
    pub age_ms: u64,
}

impl From<&Blocker> for WaitsFor {
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

/// "pid 4711 (crm_report, psql, idle in transaction for 14s)", one after the other.
pub(crate) fn named(sessions: &[WaitsFor]) -> String {
    let one = |each: &WaitsFor| {
        let who: Vec<&str> = [&each.user, &each.application, &each.state]
            .into_iter()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        format!("pid {} ({} for {}s)", each.pid, who.join(", "), each.age_ms / 1000)
    };
    sessions.iter().map(one).collect::<Vec<_>>().join(", ")
}
