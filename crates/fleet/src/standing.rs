//! How the databases of a fleet stand, by the account that is kept of them.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// How a database ended when it was last deployed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet deployed to.
    Pending,
    /// At work.
    Running,
    /// It has the release.
    Done,
    /// It has its migrations; an index or a backfill fell short.
    Warnings,
    /// It has not.
    Failed,
    /// Stopped by a signal, or died with its process.
    Interrupted,
}

impl Status {
    const ALL: [(Status, &'static str); 6] = [
        (Status::Pending, "pending"),
        (Status::Running, "running"),
        (Status::Done, "done"),
        (Status::Warnings, "warnings"),
        (Status::Failed, "failed"),
        (Status::Interrupted, "interrupted"),
    ];

    /// As it is in the table and in records.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("pending", |(_, word)| word)
    }

    pub(crate) fn named(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Status::Pending, |(status, _)| *status)
    }
}

/// A row of the account.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Standing {
    /// What the database is called.
    pub name: String,
    /// Its wave.
    pub wave: String,
    /// How it ended.
    pub status: Status,
    /// The release that it was about.
    pub release: String,
    /// The deployment's number in its own ledger.
    pub deployment: Option<i64>,
    /// The code of what ended it, where it failed.
    pub code: Option<String>,
    /// What ended it, where it failed.
    pub message: Option<String>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How many of a wave stand how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct WaveCount {
    /// The wave.
    pub wave: String,
    /// How many databases it has.
    pub databases: usize,
    /// Not yet deployed to.
    pub pending: usize,
    /// At work.
    pub running: usize,
    /// Those that have the release.
    pub done: usize,
    /// Those of which an index or a backfill fell short.
    pub warnings: usize,
    /// Those that have it not.
    pub failed: usize,
    /// Those that were stopped.
    pub interrupted: usize,
}

/// A line for each wave, in the order in which they come.
pub fn count(all: &[Standing]) -> Vec<WaveCount> {
    let mut waves: Vec<WaveCount> = Vec::new();
    for one in all {
        let place = waves.iter().position(|wave| wave.wave == one.wave).unwrap_or_else(|| {
            waves.push(WaveCount { wave: one.wave.clone(), ..Default::default() });
            waves.len() - 1
        });
        let wave = &mut waves[place];
        wave.databases += 1;
        *match one.status {
            Status::Pending => &mut wave.pending,
            Status::Running => &mut wave.running,
            Status::Done => &mut wave.done,
            Status::Warnings => &mut wave.warnings,
            Status::Failed => &mut wave.failed,
            Status::Interrupted => &mut wave.interrupted,
        } += 1;
    }
    waves
}
