//! The stage's run: every declaration settled, none of them able to fail the deploy.

use std::time::Duration;

use postgres::Stage;

use crate::event::Event;
use crate::outcome::Outcome;
use crate::plan::Plan;

/// How patient the stage is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the whole stage; then the server is left to finish what it builds.
    pub budget: Duration,
}

/// Settles every declaration, in the order of the files: indexes first, then tombstones.
pub async fn run(stage: &Stage<'_, Event>, plan: &Plan, settings: &Settings) -> Outcome {
    let _ = (stage, plan, settings);
    Outcome::default()
}
