//! The walk along the key: a sample that is rolled back, then one batch after the other.

use std::time::{Duration, Instant};

use postgres::{Error, Session, cancel_on};
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Batch};
use crate::claim::Claim;
use crate::failure::{Ended, Remedy, remedy};
use crate::quarantine::{self, Visited};
use crate::record;
use crate::statement::Kind;
use crate::sweep::Sweep;
use crate::texts::Texts;
use crate::verify;
use crate::worker::{Worker, backoff, taken_over};

/// A batch that is under way when we are told to stop may take this long before it is cancelled.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

impl Worker<'_> {
    /// Before the first batch ever: does a row that is done stop matching?
    pub(crate) async fn sample(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        let first =
            claim.pass == 1 && claim.batch_size == 0 && claim.block == 0 && self.progress.batches == 0;
        if !first || self.definition.kind == Kind::Delete {
            return Ok(None);
        }
        let (settings, ledger) = (self.settings, self.stage.ledger);
        let scan = i64::from(settings.max_batch);
        let canceller = session.canceller();
        let sample = verify::sample(session, texts, claim, settings, ledger, scan);
        match stoppable(&self.stage.stop, &canceller, GRACE, sample).await {
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

    pub(crate) async fn walk(
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
            let batch = match stoppable(&self.stage.stop, &canceller, GRACE, work).await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(Some(taken_over())),
                Err(error) if remedy(&error) == Remedy::Bisect => {
                    session.run("ROLLBACK").await?;
                    let noted =
                        batch::note(session, texts, claim, self.settings, self.stage.ledger, size).await?;
                    let Some((ids, last)) = noted else { return Ok(Some(taken_over())) };
                    let quarantined = quarantine::limit(self.settings, self.estimated_rows);
                    match self.sweeping(texts, claim, quarantined).closely(session, ids).await? {
                        Visited::Settled(_) if last => return Ok(None),
                        Visited::Settled(_) => {}
                        Visited::Lost => return Ok(Some(taken_over())),
                        Visited::Beyond(ended) => return Ok(Some(ended)),
                    }
                    (self.rows, self.skipped) =
                        record::counts(session, self.stage.ledger, claim.backfill).await?;
                    continue;
                }
                Err(error) => return Err(error),
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

    pub(crate) fn sweeping<'s>(&'s self, texts: &'s Texts, claim: &'s Claim, quarantined: u64) -> Sweep<'s> {
        Sweep {
            texts,
            claim,
            settings: self.settings,
            ledger: self.stage.ledger,
            rows: self.size.rows(),
            quarantined,
            stop: &self.stage.stop,
            deadline: self.deadline,
            holder: None,
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
}

/// Runs `work`; when told to stop, lets it go on for `grace` and then cancels it on the server.
pub(crate) async fn stoppable<T>(
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
