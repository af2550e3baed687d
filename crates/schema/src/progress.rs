//! The history row of a file whose statements run one by one, while it is not done.

use std::time::{Duration, Instant};

use postgres::{Backoff, Class, Error, PgRow, Session, Stage};

use crate::event::Event;
use crate::failure::Failure;
use crate::fence::Fence;
use crate::orphan::Orphans;
use crate::run::Settings;

/// One such row.
pub(crate) struct Row<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) version: u64,
}

impl Row<'_> {
    pub(crate) fn table(&self) -> String {
        format!("{}.migrations", sql::identifier(self.stage.ledger))
    }

    pub(crate) fn condition(&self) -> String {
        format!("version = {} AND status = 'running'", self.version)
    }

    /// Makes the row, or finds it, by a statement that begins with the fence; an orphan is waited for.
    pub(crate) async fn enter(&self, session: &mut Session, text: &str) -> Result<(), Failure> {
        let mut orphans = Orphans::default();
        while self.write(session, text).await?.is_none() {
            match Fence::of(self.stage.lock).why(session).await? {
                Failure::Orphan { pid } => orphans.wait(self.stage, pid).await?,
                failure => return Err(failure),
            }
        }
        Ok(())
    }

    /// Writes how far it is.
    pub(crate) async fn record(&self, session: &mut Session, set: &str) -> Result<(), Failure> {
        let text = format!(
            "UPDATE {} SET {set} WHERE {} AND {} RETURNING 1",
            self.table(),
            self.condition(),
            self.stage.lock.is_ours()
        );
        match self.write(session, &text).await? {
            Some(_) => Ok(()),
            None => Err(Failure::LockLost),
        }
    }

    /// As who we are, whatever role the file has taken, and patiently where others hold the ledger's rows.
    async fn write(&self, session: &mut Session, text: &str) -> Result<Option<PgRow>, Failure> {
        let limit = self.settings.lock_timeout.as_millis();
        let text = format!(
            "RESET SESSION AUTHORIZATION; RESET ROLE; SET statement_timeout = 0; SET lock_timeout = {limit}; {text}"
        );
        let deadline = Instant::now() + self.settings.retry_for;
        let mut backoff = Backoff::full_jitter(Duration::from_millis(250), Duration::from_secs(5));
        loop {
            match session.answer(&text).await {
                Err(error) if error.class() == Class::Contention && Instant::now() < deadline => {
                    pause(self.stage, backoff.next_wait()).await?;
                }
                Err(Error::Server(report)) if report.code == "23505" => return Err(Failure::LockLost),
                answer => return Ok(answer?),
            }
        }
    }
}

/// Sleeps, unless the stage is told to stop.
pub(crate) async fn pause(stage: &Stage<'_, Event>, wait: Duration) -> Result<(), Failure> {
    tokio::select! {
        () = stage.stop.cancelled() => Err(Failure::Interrupted),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}
