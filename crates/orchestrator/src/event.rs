//! Everything that can happen in a deploy, as one typed stream.

use serde::Serialize;

mod deploy;
mod ended;
mod fleet;
mod problem;
mod stage;

pub use self::fleet::FleetEvent;
pub use deploy::DeployEvent;
pub use problem::FileProblem;
pub use stage::{StageName, StageResult};

/// An event of any part of a deploy.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Event {
    /// Around the stages.
    Deploy(DeployEvent),
    /// Of a fleet as a whole.
    Fleet(FleetEvent),
    /// Stage 1.
    Schema(schema::Event),
    /// Stage 2.
    Index(index::Event),
    /// Stage 3.
    Backfill(backfill::Event),
}

impl Event {
    /// Whether it only says how far something is: for eyes, not for the journal.
    pub fn is_progress(&self) -> bool {
        matches!(
            self,
            Event::Index(index::Event::Progress { .. }) | Event::Backfill(backfill::Event::Progress { .. })
        )
    }
}

impl From<FleetEvent> for Event {
    fn from(event: FleetEvent) -> Self {
        Event::Fleet(event)
    }
}

impl From<DeployEvent> for Event {
    fn from(event: DeployEvent) -> Self {
        Event::Deploy(event)
    }
}
