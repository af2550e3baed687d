//! What every stage is given to run with, and how it says that something fell short.

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::lock::RunLock;

/// Takes a stage's events, in order, from any of its tasks. It must return at once.
pub type Events<'a, Event> = &'a (dyn Fn(Event) + Send + Sync);

/// The surroundings of a stage that runs. Having one means having the run lock.
pub struct Stage<'a, Event> {
    /// Where sessions that write come from.
    pub lock: &'a RunLock,
    /// The ledger's schema, unquoted.
    pub ledger: &'a str,
    /// The number of this deployment, for the ledger's records.
    pub deployment: i64,
    /// Where events go.
    pub events: Events<'a, Event>,
    /// Fires when the stage must stop at its next safe point: a signal, or the lock is lost.
    pub stop: CancellationToken,
}

/// Something that fell short without failing the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Warning {
    /// Stable code, `W2xx`.
    pub code: &'static str,
    /// What happened, to which item, and why.
    pub message: String,
    /// What to type or do next; `{env}` stands for the environment's name.
    pub next: Option<String>,
}

impl Warning {
    /// The same with the environment's name.
    pub fn at(self, environment: &str) -> Self {
        Self { next: self.next.map(|next| next.replace("{env}", environment)), ..self }
    }
}
