//! The work on one definition, from its first look at the catalog to the proof.
//!
//! An attempt derives everything from catalog and ledger; whatever error ends it, the next attempt does so again.
//! Nothing is ever repeated from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use postgres::{Backoff, Error, Session};

use crate::control::{self, Wanted};
use crate::definition::Definition;
use crate::event::Event;
use crate::failure::{Ended, told};
use crate::live::{Live, Patience};
use crate::lookup::{self, Lookup};
use crate::monitor::Monitor;
use crate::plan::{conflict, not_composed};
use crate::progress::Progress;
use crate::quarantine;
use crate::record::{self, Record};
use crate::relation::{Division, Relation};
use crate::settings::Settings;
use crate::stage::Stage;
use crate::texts;
use crate::unit;
use crate::vacuum::Vacuum;

pub(crate) struct Worker<'a> {
    pub(crate) stage: &'a Stage<'a>,
    /// The stage's with what the file says instead.
    pub(crate) settings: Settings,
    pub(crate) definition: &'a Definition,
    pub(crate) deadline: Instant,
    pub(crate) session: Option<Session>,
    /// Of the walkers, while they have nothing to do.
    pub(crate) sessions: Vec<Session>,
    pub(crate) progress: Progress,
    pub(crate) backfill: i64,
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) patience: Patience,
    /// The relation that is being walked.
    oid: Arc<AtomicI64>,
    /// Errors of one kind in a row, and how far it was at the last of them.
    pub(crate) repeated: (u32, u64),
    pub(crate) backoff: Backoff,
    pub(crate) passes: i32,
    pub(crate) since_pass: Instant,
    /// Rows that match and had come since the pass before, per second.
    pub(crate) newcomers: Option<f64>,
    pub(crate) rows: u64,
    pub(crate) estimated_rows: u64,
    pub(crate) skipped: u64,
    /// How units ended in this run that are not complete.
    pub(crate) short: Vec<(String, Ended)>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        stage: &'a Stage<'a>,
        settings: &Settings,
        definition: &'a Definition,
        deadline: Instant,
    ) -> Self {
        let settings = definition.header.over(settings);
        Self {
            stage,
            definition,
            deadline,
            session: None,
            sessions: Vec::new(),
            progress: Progress::new(definition, &settings),
            settings,
            backfill: 0,
            live: None,
            patience: Patience::Last,
            oid: Arc::default(),
            repeated: (0, 0),
            backoff: backoff(),
            passes: 0,
            since_pass: Instant::now(),
            newcomers: None,
            rows: 0,
            estimated_rows: 0,
            skipped: 0,
            short: Vec::new(),
        }
    }

    /// The settings that hold now.
    pub(crate) fn now(&self) -> Settings {
        self.live.as_ref().map_or_else(|| self.settings.clone(), |live| live.now().settings)
    }

    /// Works until it is complete, out of time, or cannot go on; then records how it ended.
    pub(crate) async fn work(&mut self) -> Ended {
        let mut ended = loop {
            let error = match self.attempt().await {
                Ok(ended) => break ended,
                Err(error) => error,
            };
            if let Some(ended) = self.recover(error).await {
                break ended;
            }
        };
        if self.stage.stop.is_cancelled()
            && matches!(ended, Ended::Incomplete(_) | Ended::Later(_) | Ended::Held)
        {
            ended = Ended::Interrupted;
        }
        self.close(&ended).await;
        ended
    }

    async fn attempt(&mut self) -> Result<Ended, Error> {
        if self.stage.stop.is_cancelled() {
            return Ok(Ended::Interrupted);
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.stage.worker_session(&self.settings).await?,
        };
        let result = self.attempt_with(&mut session).await;
        self.session = Some(session);
        result
    }

    async fn attempt_with(&mut self, session: &mut Session) -> Result<Ended, Error> {
        let (definition, ledger) = (self.definition, self.stage.ledger);
        let record = record::latest(session, ledger).await?.remove(&definition.id);
        let is_done = |record: &Record| record.is_done() && record.def_sha256 == definition.def_sha256;
        // What a policy hides from this role is not seen by a look at the catalog; it is an error from there on.
        session.run("SET row_security = on").await?;
        let looked = lookup::look_up(session, definition).await?;
        session.run("SET row_security = off").await?;
        let relation = match looked {
            Lookup::Ready(relation) => relation,
            _ if record.as_ref().is_some_and(is_done) => return Ok(Ended::Unchanged),
            Lookup::Waiting(problem) | Lookup::Refused(problem) => return Ok(Ended::Refused(told(&problem))),
        };
        if let Some(problem) =
            record.as_ref().and_then(|record| conflict(definition, record, Some(&relation.name)))
        {
            return Ok(Ended::Refused(told(&problem)));
        }
        let Some(texts) = texts::compose(definition, &relation, ledger) else {
            return Ok(Ended::Refused(told(&not_composed(definition))));
        };
        let current = record.as_ref().filter(|record| record.def_sha256 == definition.def_sha256);
        if let Some(record) = current {
            (self.rows, self.estimated_rows) = (record.rows, record.estimated_rows);
            if record.is_done()
                && let Some(ended) = self.is_still_done(session, record, &texts).await?
            {
                return Ok(ended);
            }
        }
        // One that was done and is no longer is another generation.
        let current = current.filter(|record| !record.is_done());
        if current.is_none() {
            self.rows = 0;
        }
        self.backfill = match current {
            Some(record) => record.id,
            None => {
                let generation = record.as_ref().map_or(1, |record| record.generation + 1);
                match self.open(session, (&relation, &texts), generation).await? {
                    Some(backfill) => backfill,
                    // Somebody else was quicker: with theirs.
                    None => return Box::pin(self.attempt_with(session)).await,
                }
            }
        };
        self.begin(session, current).await?;
        let Some(live) = self.live.clone() else { return Ok(Ended::Interrupted) };
        live.asked(control::read(session, ledger, self.backfill).await?);
        let (stage, backfill, oid) = (self.stage, self.backfill, self.oid.clone());
        let vacuum = Vacuum::default();
        let monitor = Monitor { stage, definition, live: &live, backfill, oid: &oid, vacuum };
        let ended = tokio::select! {
            ended = self.units(session, &relation) => ended,
            never = monitor.watch() => match never {},
        };
        monitor.vacuum.end().await;
        self.beside_others(session, ended?).await
    }

    /// Once in a run: what ended the last one is tried again.
    async fn begin(&mut self, session: &mut Session, current: Option<&Record>) -> Result<(), Error> {
        let (ledger, backfill) = (self.stage.ledger, self.backfill);
        if self.live.is_none() {
            let control = control::read(session, ledger, backfill).await?;
            if control.wanted != Wanted::Cancel {
                record::begun(session, ledger, backfill, self.stage.deployment).await?;
                quarantine::retry(session, ledger, backfill).await?;
            }
            self.live = Some(Arc::new(Live::new(&self.settings, control)));
        }
        if self.progress.start(self.rows, self.estimated_rows) {
            (self.stage.events)(Event::Started {
                id: self.definition.id.clone(),
                table: self.definition.shown_table(),
                estimated_rows: self.estimated_rows,
                rows: self.rows,
                resumed: current.is_some(),
            });
        }
        Ok(())
    }

    /// All units, each until it is complete or cannot be.
    async fn units(&mut self, session: &mut Session, relation: &Relation) -> Result<Ended, Error> {
        let (ledger, backfill) = (self.stage.ledger, self.backfill);
        let late = self.definition.is_once();
        unit::enumerate(session, ledger, (backfill, self.estimated_rows), relation, late).await?;
        'units: loop {
            let mut busy = false;
            for unit in unit::open(session, ledger, backfill).await? {
                if self.short.iter().any(|(name, _)| *name == unit.name) {
                    continue;
                }
                if let Some(ended) = self.hindered() {
                    return Ok(ended);
                }
                let (id, name) = (unit.id, unit.name.clone());
                // Before what belongs to no tenant: tenants that have come meanwhile.
                if matches!(relation.division, Division::Tenants(..))
                    && unit.tenant.is_none()
                    && unit::enumerate(session, ledger, (backfill, 0), relation, late).await? > 0
                {
                    continue 'units;
                }
                match self.unit(session, relation, unit).await? {
                    None => busy = true,
                    Some(
                        ended @ (Ended::Interrupted
                        | Ended::Cancelled
                        | Ended::Held
                        | Ended::Later(_)
                        | Ended::Abort(_)),
                    ) => {
                        return Ok(ended);
                    }
                    Some(ended) => self.unit_ended(session, (id, &name), ended).await?,
                }
            }
            if busy {
                if let Some(ended) = self.others(session).await? {
                    return Ok(ended);
                }
            } else if unit::enumerate(session, ledger, (backfill, 0), relation, late).await? == 0 {
                // No partitions and tenants have come meanwhile.
                break;
            }
        }
        self.finish(session, relation).await
    }

    /// What ends the run before the next unit or pass.
    pub(crate) fn hindered(&self) -> Option<Ended> {
        if self.stage.stop.is_cancelled() {
            return Some(Ended::Interrupted);
        }
        if self.live.as_ref().is_some_and(|live| live.now().control.wanted == Wanted::Cancel) {
            return Some(Ended::Cancelled);
        }
        let left = self.live.as_ref().and_then(|live| live.now().is_left(self.patience, self.deadline));
        if left.is_some() && Instant::now() < self.deadline {
            return left;
        }
        let over = || Ended::Incomplete("the budget is over".into());
        (Instant::now() >= self.deadline)
            .then(|| self.live.as_ref().map_or_else(over, |live| live.now().at_the_end()))
    }

    /// Which relation the monitor watches.
    pub(crate) fn watches(&self, oid: i64) {
        self.oid.store(oid, Ordering::Relaxed);
    }
}

pub(crate) fn backoff() -> Backoff {
    Backoff::full_jitter(Duration::from_millis(50), Duration::from_secs(2))
}

pub(crate) fn taken_over() -> Ended {
    Ended::Incomplete("another process took the work over".into())
}
