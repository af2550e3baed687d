//! How the deploy of a fleet ended.

use serde::Serialize;

use crate::report::Report;

/// What the deploy of a fleet has to say at its end.
#[derive(Debug)]
pub struct FleetReport {
    /// Of the fleet as a whole.
    pub report: Report,
    /// The waves that it came to, in order.
    pub waves: Vec<WaveReport>,
    /// The databases that failed.
    pub failed: Vec<FailedTarget>,
    /// How many databases the fleet has.
    pub databases: usize,
}

/// What became of a wave.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct WaveReport {
    /// Its name.
    pub wave: String,
    /// How many databases of it this deploy was about.
    pub databases: usize,
    /// How many had the release already.
    pub up_to_date: usize,
    /// How many have it now, beside those.
    pub done: usize,
    /// How many of these have warnings.
    pub warnings: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were stopped by a signal.
    pub interrupted: usize,
    /// How many were not begun.
    pub not_begun: usize,
}

/// A database that has not got the release, and why.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct FailedTarget {
    /// Its name.
    pub name: String,
    /// Its wave.
    pub wave: String,
    /// The message's code.
    pub code: String,
    /// What happened.
    pub message: String,
}
