//! The surroundings of a run.

use postgres::{Events, Session, Target};
use tokio_util::sync::CancellationToken;

use crate::event::Event;
use crate::settings::Settings;

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
    /// Nobody is waited for without end, not even one who was frozen with a row of the ledger in hand; and whoever is
    /// frozen so is ended by the server. `row_security = off`: what a policy would hide from us would be called done.
    pub(crate) async fn worker_session(&self, settings: &Settings) -> Result<Session, postgres::Error> {
        let mut session = self.session("backfill").await?;
        let (wait, idle) = (settings.lock_timeout, settings.idle_in_transaction_session_timeout);
        let (wait, idle) = (wait.as_millis(), idle.as_millis());
        session
            .run(&format!(
                "SET row_security = off; SET synchronous_commit = off; SET lock_timeout = {wait}; SET idle_in_transaction_session_timeout = {idle}"
            ))
            .await?;
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
