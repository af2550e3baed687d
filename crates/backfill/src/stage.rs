//! The surroundings of a run.

use postgres::{Events, Session, Target};
use tokio_util::sync::CancellationToken;

use crate::event::Event;

/// What a run is given. Other than the other stages it needs no run lock: the leases on its ranges decide who writes
/// what, so that any number of processes work side by side, a deploy among them.
pub struct Stage<'a> {
    /// The database.
    pub target: &'a Target,
    /// The ledger's schema, unquoted.
    pub ledger: &'a str,
    /// The number of the deployment, where it is one.
    pub deployment: Option<i64>,
    /// Where this process runs, for the leases.
    pub host: &'a str,
    /// Where events go.
    pub events: Events<'a, Event>,
    /// Fires when the run must stop at its next safe point.
    pub stop: CancellationToken,
}

impl Stage<'_> {
    pub(crate) async fn session(&self, role: &str) -> Result<Session, postgres::Error> {
        self.target.connect(role).await
    }

    /// One that works. What it writes may be lost by a crash as a whole, never in part: rows, cursors and leases share
    /// their fate, and nothing waits for a disk or a synchronous standby.
    pub(crate) async fn worker_session(&self) -> Result<Session, postgres::Error> {
        let mut session = self.session("backfill").await?;
        session.run("SET synchronous_commit = off").await?;
        Ok(session)
    }

    /// Who has a lease of this process.
    pub(crate) fn owner(&self) -> String {
        match self.deployment {
            Some(number) => format!("deployment {number} on {}", self.host),
            None => format!("backfill run on {}", self.host),
        }
    }
}
