//! A worker: the session that reads and records, and the waits that never queue. One worker owns a table at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::{Backoff, Error, Session, Stage};
use tokio::time::Instant;

use crate::build::{Limits, Reason};
use crate::declaration::Declarations;
use crate::event::{Event, WaitsFor};
use crate::ledger::{Act, Ended};
use crate::locks::{self, Holder};
use crate::settings::Settings;
use crate::survey::Table;
use crate::watch::{Watch, milliseconds};

/// How long others may hold the table before a build is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What settles declarations, one after the other.
pub(crate) struct Worker<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) session: Session,
    pub(crate) settings: &'a Settings,
    pub(crate) declarations: &'a Declarations,
    /// Why backfills that indexes wait for are not complete, by their names.
    pub(crate) deferred: &'a BTreeMap<String, String>,
    /// The end of the stage's budget, or of what the declaration in hand is given.
    pub(crate) deadline: Instant,
    /// Which of the two.
    pub(crate) over: Reason,
}

/// What a wait for a table came to.
pub(crate) enum Waited {
    /// Nobody holds a lock that a build needs.
    Free,
    /// The index may no longer be what it was: its state is to be read again.
    Changed,
    /// Others hold on.
    Held(Vec<Holder>),
    /// The stage was stopped meanwhile.
    Stopped(Vec<Holder>),
}

impl<'a> Worker<'a> {
    pub(crate) async fn open(
        stage: &'a Stage<'a, Event>,
        settings: &'a Settings,
        declarations: &'a Declarations,
        deferred: &'a BTreeMap<String, String>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let mut session = stage.lock.session("index").await?;
        session.bounded().await?;
        Ok(Self { stage, session, settings, declarations, deferred, deadline, over: Reason::Budget })
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.stage.events)(event);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stage.stop.is_cancelled()
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Until when a build is waited for.
    pub(crate) fn limits(&self) -> Limits<'a> {
        Limits {
            deadline: self.deadline,
            over: self.over,
            writers: self.settings.writers_limit,
            stop: &self.stage.stop,
            on_interrupt: self.settings.on_interrupt,
        }
    }

    /// Sleeps, unless the stage stops; returns whether it did not.
    pub(crate) async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stage.stop.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// Writes an intent.
    pub(crate) async fn begin(&mut self, act: Act<'_>) -> Result<i64, Error> {
        act.begin(&mut self.session, self.stage.ledger, self.stage.deployment).await
    }

    /// Writes a result.
    pub(crate) async fn finish(&mut self, id: i64, ended: Ended<'_>) -> Result<(), Error> {
        ended.write(&mut self.session, self.stage.ledger, id).await
    }

    /// Polls until a build would get its lock, for a minute; for as long as the budget lasts where somebody is seen to
    /// build the index `unfinished`.
    pub(crate) async fn wait_for_table(
        &mut self,
        index: &str,
        table: &Table,
        unfinished: Option<i64>,
    ) -> Result<Waited, Error> {
        let started = Instant::now();
        let mut poll = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
        let mut adopted: Option<(i32, Watch<'_>)> = None;
        let mut told: Option<Instant> = None;
        loop {
            if let Some(oid) = unfinished
                && changed(&mut self.session, oid).await?
            {
                return Ok(Waited::Changed);
            }
            if locks::free(&mut self.session, table).await? {
                // Whoever held it may have built what was missing.
                return Ok(if told.is_some() && unfinished.is_none() {
                    Waited::Changed
                } else {
                    Waited::Free
                });
            }
            let holders = locks::on(&mut self.session, &[table.oid]).await?;
            // It steps back as soon as the build asks for the lock.
            if !holders.is_empty() && holders.iter().all(|holder| holder.gives_way) {
                return Ok(Waited::Free);
            }
            let builder = holders.iter().find(|holder| unfinished.is_some() && holder.building == unfinished);
            match (builder, &mut adopted) {
                (Some(builder), Some((pid, watch))) if *pid == builder.who.pid => {
                    // What cannot be seen of somebody else's build does not matter.
                    let _ = watch.look(*pid).await;
                }
                (Some(builder), _) => {
                    let (index, pid) = (index.to_owned(), builder.who.pid);
                    let watch = Watch::open(self.stage, &index, table).await;
                    self.tell(Event::Adopting { index, table: table.name.clone(), pid });
                    adopted = Some((pid, watch));
                }
                (None, _) if told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) => {
                    told = Some(Instant::now());
                    self.tell(Event::Waiting {
                        index: index.to_owned(),
                        table: table.name.clone(),
                        phase: "lock on the table".into(),
                        waited_ms: milliseconds(started.elapsed()),
                        waits_for: who(&holders),
                        queued: Vec::new(),
                        advice: None,
                    });
                }
                (None, _) => {}
            }
            let limit = if builder.is_some() { self.deadline } else { self.deadline.min(started + PATIENCE) };
            if Instant::now() >= limit {
                return Ok(Waited::Held(holders));
            }
            let wait = if builder.is_some() { Duration::from_millis(250) } else { poll.next_wait() };
            if !self.sleep(wait.min(limit.saturating_duration_since(Instant::now()))).await {
                return Ok(Waited::Stopped(holders));
            }
        }
    }
}

/// The sessions behind some locks, once each.
pub(crate) fn who(holders: &[Holder]) -> Vec<WaitsFor> {
    let mut all: Vec<WaitsFor> = Vec::new();
    for holder in holders {
        if all.iter().all(|each| each.pid != holder.who.pid) {
            all.push(holder.who.clone());
        }
    }
    all
}

/// Whether an invalid index has become valid, or is gone.
pub(crate) async fn changed(session: &mut Session, oid: i64) -> Result<bool, Error> {
    use postgres::Row;
    let text = "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indexrelid::int8 = $1 AND NOT (indisvalid AND indisready AND indislive))";
    let row = postgres::query(text).bind(oid).fetch_one(session.connection()).await?;
    Ok(row.try_get(0)?)
}
