//! The work on one definition, from its first look at the catalog to the proof.
//!
//! An attempt derives everything from catalog and ledger; whatever error ends it, the next attempt does so again.
//! Nothing is ever repeated from memory.

use std::time::{Duration, Instant};

use postgres::{Backoff, Error, Session, Stage, cancel_on};
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Batch};
use crate::definition::Definition;
use crate::event::Event;
use crate::failure::{Ended, Remedy, remedy};
use crate::outcome::grouped;
use crate::plan::{conflict, not_composed};
use crate::progress::Progress;
use crate::record::{self, Claim};
use crate::relation::{self, Lookup, Relation};
use crate::settings::Settings;
use crate::size::Size;
use crate::statement::Kind;
use crate::sweep::{Sweep, Swept};
use crate::texts::{self, Texts};
use crate::verify;

/// A batch that is under way when we are told to stop may take this long before it is cancelled.
const GRACE: Duration = Duration::from_secs(2);
/// Attempts in a row that gave way to others before we come back at the next deploy.
const STUBBORN: u32 = 5;
/// Passes in one run.
const PASSES: i32 = 20;
/// Rounds of waiting for what the server is short of.
const SHORTAGES: u32 = 30;

pub(crate) struct Worker<'a> {
    stage: &'a Stage<'a, Event>,
    settings: &'a Settings,
    definition: &'a Definition,
    deadline: Instant,
    session: Option<Session>,
    size: Size,
    progress: Progress,
    claim: Option<Claim>,
    texts: Option<Texts>,
    /// Errors of one kind in a row.
    repeated: u32,
    backoff: Backoff,
    passes: i32,
    resumed: Option<bool>,
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
            repeated: 0,
            backoff: backoff(),
            passes: 0,
            resumed: None,
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
                let generation = record.map_or(1, |record| record.generation + 1);
                self.open(session, &relation, &texts, generation).await?
            }
        };
        self.started(current_is(&self.resumed, self.rows));
        loop {
            let claim = record::claim(session, ledger, backfill, self.stage.deployment).await?;
            if self.claim.is_none() {
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
        self.estimated_rows = verify::estimate(session, relation, texts).await?.rows;
        self.resumed = Some(false);
        let numbers = (generation, self.estimated_rows, self.stage.deployment);
        let about = (self.definition, relation);
        record::open(session, self.stage.ledger, about, numbers, hi.as_deref()).await
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

    /// One pass: the walk, the sweep, the proof. `None`: another pass is needed.
    async fn pass(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        if !claim.done {
            if let Some(ended) = self.sample(session, texts, claim).await? {
                return Ok(Some(ended));
            }
            if let Some(ended) = self.walk(session, texts, claim).await? {
                return Ok(Some(ended));
            }
        }
        if let Some(ended) = self.sweep(session, texts, claim).await? {
            return Ok(Some(ended));
        }
        self.prove(session, texts, claim).await
    }

    /// Before the first batch ever: does a row that is done stop matching?
    async fn sample(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        let first = claim.pass == 1 && claim.batch_size == 0 && self.progress.batches == 0;
        if !first || self.definition.kind == Kind::Delete {
            return Ok(None);
        }
        let (settings, ledger) = (self.settings, self.stage.ledger);
        let scan = i64::from(settings.max_batch);
        let sampled = verify::sample(session, texts, claim, settings, ledger, scan).await;
        match sampled {
            Ok(Some(unchanged)) if unchanged.rows >= unchanged.of => {
                let verify::Unchanged { rows, examples, .. } = unchanged;
                Ok(Some(Ended::KeepMatching { rows, examples, sampled: true }))
            }
            Ok(_) => Ok(None),
            // A row that cannot be done is the walk's to find.
            Err(error) if remedy(&error) == Remedy::Bisect => {
                session.run("ROLLBACK").await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn walk(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        loop {
            if self.stage.stop.is_cancelled() {
                return Ok(Some(Ended::Interrupted));
            }
            if Instant::now() >= self.deadline {
                return Ok(Some(Ended::Incomplete("the budget is over".into())));
            }
            let started = Instant::now();
            let size = (self.size.scan(), self.size.rows());
            let canceller = session.canceller();
            let work = batch::run(session, texts, claim, self.settings, self.stage.ledger, size);
            let Some(batch) = stoppable(&self.stage.stop, &canceller, GRACE, work).await? else {
                return Ok(Some(taken_over()));
            };
            self.committed(&batch, started.elapsed());
            if batch.last {
                return Ok(None);
            }
            if !self.settings.pause.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(self.settings.pause) => {}
                    () = self.stage.stop.cancelled() => {}
                }
            }
        }
    }

    fn committed(&mut self, batch: &Batch, took: Duration) {
        self.size.learn(took, batch.matched, batch.scanned);
        (self.repeated, self.backoff) = (0, backoff());
        self.rows += batch.done;
        self.skipped += batch.missed;
        self.progress.batches += 1;
        if let Some(event) = self.progress.due(self.rows, self.skipped, self.size.rows(), false) {
            (self.stage.events)(event);
        }
    }

    async fn sweep(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        let ledger = self.stage.ledger;
        (self.rows, self.skipped) = record::counts(session, ledger, claim.backfill).await?;
        if self.skipped == 0 {
            return Ok(None);
        }
        (self.stage.events)(Event::Sweeping {
            id: self.definition.id.clone(),
            table: self.definition.shown_table(),
            skipped: self.skipped,
        });
        record::set_state(session, ledger, claim.backfill, "sweeping", (None, None)).await?;
        let mut monitor = self.stage.lock.session("backfill-monitor").await?;
        let mut sweep = Sweep {
            texts,
            claim,
            settings: self.settings,
            ledger,
            rows: self.size.rows(),
            stop: &self.stage.stop,
            deadline: self.deadline,
            holder: None,
        };
        let swept = sweep.run(session, &mut monitor).await;
        monitor.close().await;
        let swept = swept?;
        (self.rows, self.skipped) = record::counts(session, ledger, claim.backfill).await?;
        Ok(match swept {
            Swept::Clear => None,
            Swept::Lost => Some(taken_over()),
            Swept::Locked(what) => Some(Ended::Incomplete(what)),
            Swept::Stopped(what) => Some(Ended::Incomplete(format!("the budget is over, and {what}"))),
        })
    }

    /// "Complete" is only said after this: a live statement, in a snapshot of its own, that finds no row that matches.
    async fn prove(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        let ledger = self.stage.ledger;
        (self.stage.events)(Event::Verifying {
            id: self.definition.id.clone(),
            table: self.definition.shown_table(),
        });
        record::set_state(session, ledger, claim.backfill, "verifying", (None, None)).await?;
        let canceller = session.canceller();
        let matches =
            stoppable(&self.stage.stop, &canceller, Duration::ZERO, verify::any_matches(session, texts))
                .await?;
        if !matches {
            record::set_state(session, ledger, claim.backfill, "done", (None, None)).await?;
            return Ok(Some(Ended::Complete));
        }
        // Claimed again only to read what the walk has counted since.
        let claim = record::claim(session, ledger, claim.backfill, self.stage.deployment).await?;
        self.claim = Some(claim.clone());
        let left = verify::left(session, texts, claim.hi.as_deref()).await?;
        let before = record::left_over(session, ledger, &claim).await?;
        let again: Vec<_> = left.examples.iter().filter(|key| before.contains(key)).cloned().collect();
        if left.within > 0 && (claim.unchanged >= left.within || !again.is_empty()) {
            let examples = if again.is_empty() { left.examples } else { again };
            return Ok(Some(Ended::KeepMatching { rows: left.within, examples, sampled: false }));
        }
        self.passes += 1;
        if self.passes >= PASSES {
            let rows = grouped(left.within + left.beyond);
            return Ok(Some(Ended::Incomplete(format!(
                "new rows that match keep coming: {rows} at the last look"
            ))));
        }
        let hi = verify::greatest_key(session, texts).await?;
        // Where all that is left is behind the bound, the rest of the table need not be walked again.
        let lo = if left.within == 0 { claim.hi.as_deref() } else { None };
        record::next_pass(session, ledger, &claim, (lo, hi.as_deref()), &left.examples).await?;
        Ok(None)
    }

    /// Decides about an error. `None`: another attempt.
    async fn recover(&mut self, error: Error) -> Option<Ended> {
        let mut remedy = remedy(&error);
        if remedy != Remedy::Reconnect && !self.rolled_back().await {
            remedy = Remedy::Reconnect;
        }
        if self.stage.stop.is_cancelled() {
            return Some(Ended::Interrupted);
        }
        self.repeated += 1;
        let over = Instant::now() >= self.deadline;
        match remedy {
            Remedy::Reconnect => {
                self.session = None;
                (self.stage.events)(Event::Reconnecting {
                    id: self.definition.id.clone(),
                    table: self.definition.shown_table(),
                    reason: error.to_string(),
                });
            }
            Remedy::Retry => {
                if self.repeated.is_multiple_of(4) {
                    self.size.halve();
                }
            }
            Remedy::GiveWay => {
                if !self.size.halve() && self.repeated > STUBBORN {
                    return Some(Ended::Incomplete(format!("others hold what it needs: {error}")));
                }
            }
            Remedy::Shrink => {
                if !self.size.halve() && self.repeated > 1 {
                    return Some(self.failed(error).await);
                }
            }
            Remedy::Bisect => {
                if !self.size.bisect() {
                    return Some(self.failed(error).await);
                }
                return None;
            }
            Remedy::Wait if self.repeated > SHORTAGES => return Some(Ended::Incomplete(error.to_string())),
            Remedy::Wait => {}
            Remedy::Abort => return Some(Ended::Abort(error.to_string())),
            Remedy::Fail => return Some(self.failed(error).await),
        }
        if over {
            return Some(Ended::Incomplete(format!("the budget is over: {error}")));
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.next_wait()) => {}
            () = self.stage.stop.cancelled() => {}
        }
        None
    }

    /// Whether the connection is usable again.
    async fn rolled_back(&mut self) -> bool {
        match &mut self.session {
            Some(session) => session.run("ROLLBACK").await.is_ok(),
            None => false,
        }
    }

    /// Names the place in the file, or the row, as far as they can be found.
    async fn failed(&mut self, error: Error) -> Ended {
        let sqlstate = error.sqlstate().map(str::to_owned);
        let detail =
            error.server().and_then(|report| report.detail.clone()).map(|detail| format!(": {detail}"));
        let reason = format!("{error}{}", detail.unwrap_or_default());
        let Some(session) = &mut self.session else { return Ended::Failed { sqlstate, reason } };
        if remedy(&error) == Remedy::Fail {
            // The position is one in our text; the server finds it in the user's, too.
            if let Ok(Some(Lookup::Waiting(problem) | Lookup::Refused(problem))) =
                relation::explain(session, self.definition).await
            {
                return Ended::Failed { sqlstate, reason: told(&problem) };
            }
            return Ended::Failed { sqlstate, reason };
        }
        let (Some(texts), Some(claim)) = (&self.texts, &self.claim) else {
            return Ended::Failed { sqlstate, reason };
        };
        let place = match verify::next_match(session, texts, claim, self.stage.ledger).await {
            Ok(Some(key)) => format!(", at the row with the key ({key})"),
            _ => {
                let _ = session.run("ROLLBACK").await;
                String::new()
            }
        };
        Ended::Failed { sqlstate, reason: format!("{reason}{place}") }
    }

    /// Tells how far it came, and leaves the ledger as the next run should find it. A ledger that cannot be written now
    /// is found with a lease that runs out, which says the same.
    async fn close(&mut self, ended: &Ended) {
        if self.progress.batches > 0 {
            if let Some(event) = self.progress.due(self.rows, self.skipped, self.size.rows(), true) {
                (self.stage.events)(event);
            }
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
        let _ = record::release(&mut session, ledger, &claim, reason.as_deref()).await;
        session.close().await;
    }
}

fn backoff() -> Backoff {
    Backoff::full_jitter(Duration::from_millis(50), Duration::from_secs(2))
}

fn taken_over() -> Ended {
    Ended::Incomplete("another process took the work over".into())
}

fn current_is(resumed: &Option<bool>, rows: u64) -> bool {
    resumed.unwrap_or(rows > 0)
}

/// A problem in one line: place, message, and what to do.
fn told(problem: &sql::Problem) -> String {
    match &problem.help {
        Some(help) => format!("{problem} ({help})"),
        None => problem.to_string(),
    }
}

/// Runs `work`; when told to stop, lets it go on for `grace` and then cancels it on the server.
async fn stoppable<T>(
    stop: &CancellationToken,
    canceller: &postgres::Canceller,
    grace: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let cancel = CancellationToken::new();
    let alarm = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
        cancel.cancel();
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        result = cancel_on(&cancel, canceller, work) => result,
        never = alarm => match never {},
    }
}
