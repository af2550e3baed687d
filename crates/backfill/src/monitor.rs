//! Beside the workers: looks at the server, and tells them what it leaves to them.

use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use postgres::{Error, Session, query};
use tokio::sync::watch;

use crate::control;
use crate::definition::Definition;
use crate::event::Event;
use crate::live::Live;
use crate::pressure::Pressure;
use crate::signals::{self, Seen};
use crate::stage::Stage;
use crate::throttle::Judge;
use crate::vacuum::Vacuum;

/// What a monitor watches over.
pub(crate) struct Monitor<'a> {
    pub(crate) stage: &'a Stage<'a>,
    pub(crate) definition: &'a Definition,
    pub(crate) live: &'a Live,
    pub(crate) backfill: i64,
    /// The relation that is being walked; 0 where none is.
    pub(crate) oid: &'a AtomicI64,
    /// The VACUUM that is under way.
    pub(crate) vacuum: Vacuum,
}

impl Monitor<'_> {
    /// Looks, and vacuums behind the workers, until it is dropped; then [`Vacuum::end`] is due.
    pub(crate) async fn watch(&self) -> Infallible {
        let (told, seen) = watch::channel((0, Seen::default()));
        // Side by side: who vacuums for minutes must see all the same.
        tokio::select! {
            never = self.look_on(&told) => never,
            never = self.clear_away(seen) => never,
        }
    }

    async fn look_on(&self, told: &watch::Sender<(i64, Seen)>) -> Infallible {
        let limits = self.live.now().settings.throttle;
        let mut judge = Judge::new(&limits, Instant::now());
        let mut session = None;
        loop {
            let looked = tokio::time::timeout(limits.blind, self.look(&mut session)).await;
            let blind = match looked {
                Ok(Ok(seen)) => {
                    let pressure = judge.judge(Instant::now(), &seen);
                    // It holds before the ledger says so.
                    self.press(pressure.clone());
                    self.told(&mut session, &pressure).await;
                    told.send_replace((self.oid.load(Ordering::Relaxed), seen));
                    None
                }
                Ok(Err(error)) => {
                    session = None;
                    judge.blind(Instant::now(), &error.to_string())
                }
                Err(_) => {
                    session = None;
                    judge.blind(Instant::now(), "no answer")
                }
            };
            if let Some(pressure) = blind {
                self.press(pressure);
            }
            tokio::time::sleep(limits.every).await;
        }
    }

    async fn look(&self, session: &mut Option<Session>) -> Result<Seen, Error> {
        if session.is_none() {
            *session = Some(self.connect().await?);
        }
        let Some(session) = session.as_mut() else { return Ok(Seen::default()) };
        self.live.asked(control::read(session, self.stage.ledger, self.backfill).await?);
        let window = self.definition.header.window.as_ref();
        let lately = self.live.now().settings.throttle.lately();
        signals::look(session, (self.oid.load(Ordering::Relaxed), &self.live.pids()), window, lately).await
    }

    async fn connect(&self) -> Result<Session, Error> {
        let mut session = self.stage.session("backfill-monitor").await?;
        session
            .run("SET synchronous_commit = off; SET statement_timeout = '10s'; SET lock_timeout = '1s'")
            .await?;
        Ok(session)
    }

    fn press(&self, pressure: Pressure) {
        let before = self.live.now().pressure;
        // That nothing stands in its way is no news at the beginning.
        let known = if before == Pressure::unseen() { "free" } else { before.level() };
        if self.live.pressed(pressure.clone()) && pressure.level() != known {
            (self.stage.events)(Event::Throttled {
                id: self.definition.id.clone(),
                table: self.definition.shown_table(),
                level: pressure.level().to_owned(),
                reasons: pressure.reasons,
            });
        }
    }

    /// For `status`, from wherever it is asked. A ledger that cannot be written now is written at the next look.
    async fn told(&self, session: &mut Option<Session>, pressure: &Pressure) {
        let Some(session) = session else { return };
        let text = format!(
            "UPDATE {}.backfills SET level = $2, reasons = $3, observed_at = clock_timestamp() \
             WHERE id = $1 AND (level <> $2 OR reasons <> $3 OR observed_at IS NULL OR observed_at < clock_timestamp() - interval '10 seconds')",
            sql::identifier(self.stage.ledger)
        );
        let query =
            query(&text).bind(self.backfill).bind(pressure.level().to_owned()).bind(pressure.reasons.clone());
        let _ = query.execute(session.connection()).await;
    }
}
