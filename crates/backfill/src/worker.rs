//! The work on one definition, from its first look at the catalog to the proof.
//!
//! An attempt derives everything from catalog and ledger; whatever error ends it, the next attempt does so again.
//! Nothing is ever repeated from memory.

use std::time::{Duration, Instant};

use postgres::{Backoff, Error, Session, Stage};

use crate::blocks::{self, Blocks};
use crate::claim::{self, Claim};
use crate::definition::Definition;
use crate::event::Event;
use crate::failure::Ended;
use crate::plan::{conflict, not_composed};
use crate::progress::Progress;
use crate::quarantine;
use crate::record;
use crate::relation::{self, Lookup, Relation};
use crate::settings::{Settings, Walk};
use crate::size::Size;
use crate::texts::{self, Texts};
use crate::verify;
use crate::walk::stoppable;

pub(crate) struct Worker<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) definition: &'a Definition,
    pub(crate) deadline: Instant,
    pub(crate) session: Option<Session>,
    pub(crate) size: Size,
    pub(crate) progress: Progress,
    pub(crate) claim: Option<Claim>,
    pub(crate) texts: Option<Texts>,
    pub(crate) oid: i64,
    /// Where the walk can go over blocks: its texts, the table, rows in a block.
    pub(crate) blocks: Option<(Blocks, i64, Option<f64>)>,
    /// Errors of one kind in a row.
    pub(crate) repeated: u32,
    pub(crate) backoff: Backoff,
    pub(crate) passes: i32,
    pub(crate) rows: u64,
    pub(crate) estimated_rows: u64,
    pub(crate) skipped: u64,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        stage: &'a Stage<'a, Event>,
        settings: &'a Settings,
        definition: &'a Definition,
        deadline: Instant,
    ) -> Self {
        Self {
            stage,
            settings,
            definition,
            deadline,
            session: None,
            size: Size::new(settings),
            progress: Progress::new(definition, settings),
            claim: None,
            texts: None,
            oid: 0,
            blocks: None,
            repeated: 0,
            backoff: backoff(),
            passes: 0,
            rows: 0,
            estimated_rows: 0,
            skipped: 0,
        }
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
        if self.stage.stop.is_cancelled() && matches!(ended, Ended::Incomplete(_)) {
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
            None => self.stage.lock.session("backfill").await?,
        };
        let result = self.attempt_with(&mut session).await;
        self.session = Some(session);
        result
    }

    async fn attempt_with(&mut self, session: &mut Session) -> Result<Ended, Error> {
        let (definition, ledger) = (self.definition, self.stage.ledger);
        let relation = match relation::look_up(session, definition).await? {
            Lookup::Ready(relation) => relation,
            Lookup::Waiting(problem) | Lookup::Refused(problem) => return Ok(Ended::Refused(told(&problem))),
        };
        let record = record::latest(session, ledger).await?.remove(&definition.id);
        if let Some(problem) =
            record.as_ref().and_then(|record| conflict(definition, record, Some(&relation.name)))
        {
            return Ok(Ended::Refused(told(&problem)));
        }
        let Some(texts) = texts::compose(definition, &relation, ledger) else {
            return Ok(Ended::Refused(told(&not_composed(definition))));
        };
        self.texts = Some(texts.clone());
        self.oid = relation.oid;
        self.blocks = match self.settings.walk {
            Walk::Blocks if relation.has_blocks => blocks::compose(definition, &relation, ledger)
                .map(|blocks| (blocks, relation.oid, relation.density())),
            _ => None,
        };
        let current = record.as_ref().filter(|record| record.def_sha256 == definition.def_sha256);
        if let Some(record) = current {
            (self.rows, self.estimated_rows) = (record.rows, record.estimated_rows);
            if record.is_done() {
                return Ok(Ended::Unchanged);
            }
        }
        let backfill = match current {
            Some(record) => record.id,
            None => {
                let generation = record.as_ref().map_or(1, |record| record.generation + 1);
                self.open(session, &relation, &texts, generation).await?
            }
        };
        self.started(current.is_some());
        loop {
            let about = (backfill, self.stage.deployment);
            // A killed runner's last batch may still hold the range's row.
            let canceller = session.canceller();
            let claimed = claim::claim(session, ledger, about, self.claim.as_ref());
            let Some(claim) = stoppable(&self.stage.stop, &canceller, Duration::ZERO, claimed).await? else {
                return Ok(taken_over());
            };
            if self.claim.is_none() {
                quarantine::retry(session, ledger, &claim).await?;
                self.size.resume(claim.batch_size, claim.scan_size);
            }
            self.claim = Some(claim.clone());
            if let Some(ended) = self.pass(session, &texts, &claim).await? {
                return Ok(ended);
            }
        }
    }

    async fn open(
        &mut self,
        session: &mut Session,
        relation: &Relation,
        texts: &Texts,
        generation: i32,
    ) -> Result<i64, Error> {
        let hi = verify::greatest_key(session, texts).await?;
        self.estimated_rows = verify::estimate(session, relation, texts).await?;
        let numbers = (generation, self.estimated_rows, self.stage.deployment);
        let about = (self.definition, relation);
        record::open(session, self.stage.ledger, about, numbers, (hi.as_deref(), self.blocks.is_some())).await
    }

    fn started(&mut self, resumed: bool) {
        if self.progress.start(self.rows, self.estimated_rows) {
            (self.stage.events)(Event::Started {
                id: self.definition.id.clone(),
                table: self.definition.shown_table(),
                estimated_rows: self.estimated_rows,
                rows: self.rows,
                resumed,
            });
        }
    }

    /// Tells how far it came, and leaves the ledger as the next run should find it. A ledger that cannot be written now
    /// is found with a lease that runs out, which says the same.
    async fn close(&mut self, ended: &Ended) {
        if self.progress.batches > 0
            && let Some(event) = self.progress.due(self.rows, self.skipped, self.size.rows(), true)
        {
            (self.stage.events)(event);
        }
        let Some(claim) = self.claim.take() else { return };
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.stage.lock.session("backfill").await {
                Ok(session) => session,
                Err(_) => return,
            },
        };
        let (ledger, reason) = (self.stage.ledger, ended.reason());
        let state = match ended {
            Ended::Failed { sqlstate, .. } => Some(sqlstate.as_deref()),
            Ended::KeepMatching { .. } => Some(None),
            _ => None,
        };
        if let Some(sqlstate) = state {
            let _ = record::set_state(
                &mut session,
                ledger,
                claim.backfill,
                "failed",
                (sqlstate, reason.as_deref()),
            )
            .await;
        }
        let _ = claim::release(&mut session, ledger, &claim, reason.as_deref()).await;
        session.close().await;
    }
}

pub(crate) fn backoff() -> Backoff {
    Backoff::full_jitter(Duration::from_millis(50), Duration::from_secs(2))
}

pub(crate) fn taken_over() -> Ended {
    Ended::Incomplete("another process took the work over".into())
}

/// A problem in one line: place, message, and what to do.
pub(crate) fn told(problem: &sql::Problem) -> String {
    match &problem.help {
        Some(help) => format!("{problem} ({help})"),
        None => problem.to_string(),
    }
}
