//! How patient the stage is, and how much it does at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The stage's settings. `..Default::default()` fills in what is not said.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the whole stage; then the server is left to finish what it builds.
    pub budget: Duration,
    /// Builds at once, each on another table; 0 is taken as 1.
    pub parallel: usize,
    /// How long a build may wait for writers while nothing is built: meanwhile nothing is gained by it.
    pub writers_limit: Duration,
    /// What is done about a valid index of another definition, where its file does not say.
    pub on_drift: OnDrift,
    /// What becomes of a build when the deploy is interrupted.
    pub on_interrupt: OnInterrupt,
}

/// What is done about a valid index whose definition is not the declared one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It is left as it is and told about.
    #[default]
    Warn,
    /// The declared one is built beside it and takes its name; then the old one is dropped.
    Replace,
}

/// What becomes of a build when the deploy is interrupted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The server finishes it, and the next deploy adopts it.
    #[default]
    Detach,
    /// It is cancelled, and what it leaves is dropped.
    Cancel,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(2 * 60 * 60),
            parallel: 2,
            writers_limit: Duration::from_secs(5 * 60),
            on_drift: OnDrift::Warn,
            on_interrupt: OnInterrupt::Detach,
        }
    }
}
