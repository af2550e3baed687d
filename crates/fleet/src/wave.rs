//! A wave: databases that are deployed to together, before those of the next.

use std::time::Duration;

use crate::amount::Amount;

/// Which databases are deployed to together, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// What it is called.
    pub name: String,
    /// Names that it takes, with `*` and `?`; empty for any.
    pub matching: Vec<String>,
    /// How many it takes at most; a share is one of the whole fleet.
    pub take: Option<Amount>,
    /// How many are at work at once; never zero.
    pub max_parallel: usize,
    /// How long to wait after it.
    pub soak: Duration,
    /// How many may fail; a share is one of the wave.
    pub failure_budget: Amount,
}
