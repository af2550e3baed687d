//! Beside the workers: looks at the server, tells them what it leaves to them, and vacuums behind them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use postgres::{Error, Session, query};

use crate::control;
use crate::definition::Definition;
use crate::event::Event;
use crate::live::Live;
use crate::pressure::Pressure;
use crate::signals::{self, Seen};
use crate::stage::Stage;
use crate::throttle::Judge;

/// The share of dead rows at which we vacuum, and from how many rows on.
const DEAD: (f64, f64) = (0.10, 20_000.0);

/// What a monitor watches over.
pub(crate) struct Monitor<'a> {
    pub(crate) stage: &'a Stage<'a>,
    pub(crate) definition: &'a Definition,
    pub(crate) live: &'a Live,
    pub(crate) backfill: i64,
    /// The relation that is being walked; 0 where none is.
    pub(crate) oid: &'a AtomicI64,
}

impl Monitor<'_> {
    /// Looks until it is dropped.
    pub(crate) async fn watch(&self) -> std::convert::Infallible {
        let limits = self.live.now().settings.throttle;
        let mut judge = Judge::new(&limits, Instant::now());
        let (mut session, mut vacuumed) = (None, None);
        loop {
            let looked = tokio::time::timeout(limits.blind, self.look(&mut session)).await;
            let pressure = match looked {
                Ok(Ok(seen)) => {
                    let pressure = judge.judge(Instant::now(), &seen);
                    self.told(&mut session, &pressure).await;
                    self.vacuum(&mut session, &seen, &mut vacuumed).await;
                    Some(pressure)
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
            if let Some(pressure) = pressure {
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
        signals::look(session, (self.oid.load(Ordering::Relaxed), &self.live.pids()), window).await
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
        if self.live.pressed(pressure.clone()) && pressure.level() != before.level() {
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

    /// Where autovacuum has not come by: what is dead is cleared away before the table has grown by it. A table that
    /// somebody else has locked is left alone.
    async fn vacuum(&self, session: &mut Option<Session>, seen: &Seen, vacuumed: &mut Option<(i64, f64)>) {
        let oid = self.oid.load(Ordering::Relaxed);
        let (dead, all) = seen.dead;
        // What the last one left, because somebody can still see it, is not tried again.
        let left = vacuumed.filter(|(table, _)| *table == oid).map_or(0.0, |(_, left)| left);
        if all < DEAD.1 || dead - left < all * DEAD.0 || seen.autovacuum || oid == 0 {
            return;
        }
        let Some(session) = session else { return };
        let cleanup = if session.version_number() >= 140_000 { ", INDEX_CLEANUP AUTO" } else { "" };
        let name: Result<String, Error> = async {
            use postgres::Row;
            Ok(session.one(&format!("SELECT {oid}::oid::regclass::text")).await?.try_get(0)?)
        }
        .await;
        let Ok(name) = name else { return };
        let _ = session.run("SET statement_timeout = 0").await;
        let started = Instant::now();
        if session.run(&format!("VACUUM (SKIP_LOCKED{cleanup}) {name}")).await.is_ok() {
            (self.stage.events)(Event::Vacuumed {
                id: self.definition.id.clone(),
                table: name,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
        let _ = session.run("SET statement_timeout = '10s'").await;
        let after = signals::look(session, (oid, &[]), None).await.map_or(dead, |seen| seen.dead.0);
        *vacuumed = Some((oid, after));
    }
}
