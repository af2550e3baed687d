//! What happens to a fleet as a whole. What happens inside of one of its databases is in that one's own journal.

use serde::Serialize;

/// An event of a fleet. Durations are milliseconds.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(tag = "event")]
pub enum FleetEvent {
    /// It is known which databases there are, and in which wave each goes.
    #[serde(rename = "fleet.planned")]
    Planned {
        /// Name of the pipeline.
        pipeline: String,
        /// The database that keeps account.
        control: String,
        /// Hash of the release.
        release: String,
        /// Hash of what approvals are about.
        plan: String,
        /// Who asked.
        actor: String,
        /// How many databases.
        databases: usize,
        /// How many of them this deploy is about.
        selected: usize,
        /// The names of the waves, in order.
        waves: Vec<String>,
    },
    /// Every database of a wave has been looked at.
    #[serde(rename = "fleet.wave_looked_at")]
    LookedAt {
        /// The wave.
        wave: String,
        /// How many databases.
        databases: usize,
        /// How many have the release already.
        up_to_date: usize,
        /// How many could not be looked at; they are tried again.
        unknown: usize,
    },
    /// A wave soaks before the next one may begin.
    #[serde(rename = "fleet.wave_soaking")]
    Soaking {
        /// The wave.
        wave: String,
        /// For how long from now.
        for_ms: u64,
    },
    /// A wave begins.
    #[serde(rename = "fleet.wave_started")]
    WaveStarted {
        /// The wave.
        wave: String,
        /// How many databases are to be deployed to.
        databases: usize,
        /// How many at once.
        max_parallel: usize,
        /// How many may fail.
        may_fail: usize,
    },
    /// The deploy of one database begins.
    #[serde(rename = "fleet.database_started")]
    DatabaseStarted {
        /// The wave.
        wave: String,
        /// The database.
        database: String,
    },
    /// The deploy of one database has ended.
    #[serde(rename = "fleet.database_finished")]
    DatabaseFinished {
        /// The wave.
        wave: String,
        /// The database.
        database: String,
        /// `done`, `warnings`, `failed` or `interrupted`.
        status: &'static str,
        /// The deployment's number in the database's own ledger.
        of_database: Option<i64>,
        /// How long it took.
        duration_ms: u64,
        /// The code of what ended it, where it failed.
        code: Option<String>,
        /// What ended it, where it failed.
        message: Option<String>,
    },
    /// A wave has ended.
    #[serde(rename = "fleet.wave_finished")]
    WaveFinished {
        /// The wave.
        wave: String,
        /// How many of its databases have the release now.
        done: usize,
        /// How many of those had it before.
        up_to_date: usize,
        /// How many failed.
        failed: usize,
        /// How many were not begun.
        not_begun: usize,
        /// How long it took.
        duration_ms: u64,
    },
}
