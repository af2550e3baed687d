//! One of those who walk over blocks: a session, a range and a chunk at a time, and what follows an error in a batch.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::{Error, Session, Stage};
use tokio_util::sync::CancellationToken;

use crate::blocks::{Blocks, Place};
use crate::chunk::{Chunk, Sizing};
use crate::claim::Claim;
use crate::event::Event;
use crate::failure::{Ended, Remedy, remedy};
use crate::progress::Progress;
use crate::quarantine::Visited;
use crate::range::{self, Range};
use crate::settings::Settings;
use crate::stripe::{self, Stripe, Terms};
use crate::sweep::Sweep;
use crate::texts::Texts;
use crate::walk::{GRACE, stoppable};
use crate::worker::backoff;

/// Deadlocks and failed serializations in a row.
const STUBBORN: u32 = 10;

/// Why a walker stopped.
#[derive(Debug)]
pub(crate) enum Walked {
    /// No range is left to take.
    Through,
    /// Out of time, told to stop, held up.
    Ended(Ended),
    /// The table is stored anew.
    Rewritten,
    /// Some row has to be looked at by itself.
    AlongKey,
}

impl Walked {
    /// Which of several counts.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Walked::Through => 0,
            Walked::Ended(_) => 1,
            Walked::Rewritten => 2,
            Walked::AlongKey => 3,
        }
    }
}

/// What the walkers have done together.
pub(crate) struct Tally<'a> {
    pub(crate) progress: &'a mut Progress,
    pub(crate) rows: &'a mut u64,
}

pub(crate) struct Walker<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) claim: &'a Claim,
    pub(crate) blocks: &'a Blocks,
    pub(crate) texts: &'a Texts,
    pub(crate) oid: i64,
    pub(crate) quarantined: u64,
    pub(crate) sizing: Sizing,
    pub(crate) deadline: Instant,
    /// Fires when one of us has to stop.
    pub(crate) halt: &'a CancellationToken,
    pub(crate) tally: &'a Mutex<Tally<'a>>,
}

impl Walker<'_> {
    /// One range after the other, until none is left.
    pub(crate) async fn run(&mut self, session: &mut Session) -> Result<Walked, Error> {
        loop {
            if let Some(walked) = self.hindered() {
                return Ok(walked);
            }
            let taken = range::take(session, self.stage.ledger, self.claim, self.settings).await?;
            let Some(mut range) = taken else { return Ok(Walked::Through) };
            self.sizing.resume(range.blocks);
            if let Some(walked) = self.range(session, &mut range).await? {
                range::give_back(session, self.stage.ledger, &range).await?;
                return Ok(walked);
            }
        }
    }

    fn hindered(&self) -> Option<Walked> {
        if self.stage.stop.is_cancelled() {
            return Some(Walked::Ended(Ended::Interrupted));
        }
        if self.halt.is_cancelled() {
            return Some(Walked::Through);
        }
        (Instant::now() >= self.deadline)
            .then(|| Walked::Ended(Ended::Incomplete("the budget is over".into())))
    }

    /// A range to its end, or until it is lost. `Some`: why it went no further.
    async fn range(&mut self, session: &mut Session, range: &mut Range) -> Result<Option<Walked>, Error> {
        let canceller = session.canceller();
        let (mut stubborn, mut waiting, mut wait) = (0, None::<Instant>, backoff());
        loop {
            if let Some(walked) = self.hindered() {
                return Ok(Some(walked));
            }
            let place = self.place(range);
            let terms = Terms {
                blocks: self.blocks,
                settings: self.settings,
                ledger: self.stage.ledger,
                oid: self.oid,
                bold: self.blocks.has_plain() && self.sizing.is_bold(),
                limit: self.sizing.limit(),
                rows: self.sizing.batch_rows(),
            };
            let started = Instant::now();
            let batch = stripe::run(session, &terms, range, place);
            let error = match stoppable(&self.stage.stop, &canceller, GRACE, batch).await {
                Ok(Stripe::Done { matched, done, full, last }) => {
                    self.committed(range, place, started.elapsed(), (matched, done, full));
                    if last {
                        return Ok(None);
                    }
                    (stubborn, waiting) = (0, None);
                    self.pause().await;
                    continue;
                }
                Ok(Stripe::Lost) => return Ok(None),
                Ok(Stripe::Rewritten) => return Ok(Some(Walked::Rewritten)),
                Ok(Stripe::Unchanged) => return Ok(Some(Walked::AlongKey)),
                Err(error) => error,
            };
            let what = remedy(&error);
            if self.stage.stop.is_cancelled()
                || matches!(what, Remedy::Reconnect | Remedy::Wait | Remedy::Abort | Remedy::Fail)
            {
                return Err(error);
            }
            session.run("ROLLBACK").await?;
            match what {
                Remedy::GiveWay if terms.bold => {
                    self.sizing.contended();
                    continue;
                }
                Remedy::GiveWay => {
                    if waiting.get_or_insert(started).elapsed() > self.settings.lock_timeout {
                        return Ok(Some(Walked::Ended(Ended::Incomplete(format!(
                            "others hold what it needs: {error}"
                        )))));
                    }
                }
                Remedy::Shrink => {
                    range.chunk = None;
                    if !self.sizing.halve() {
                        return Ok(Some(Walked::AlongKey));
                    }
                }
                Remedy::Bisect => match self.close_in(session, &terms, range, place).await? {
                    Ok(true) => return Ok(None),
                    Ok(false) => continue,
                    Err(walked) => return Ok(Some(walked)),
                },
                _ => {
                    stubborn += 1;
                    self.sizing.contended();
                    if stubborn > STUBBORN {
                        return Err(error);
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait.next_wait()) => {}
                () = self.stage.stop.cancelled() => {}
            }
        }
    }

    /// A batch with a row that cannot be done: its rows are noted and visited by their keys. `Ok(true)`: the range is over.
    async fn close_in(
        &mut self,
        session: &mut Session,
        terms: &Terms<'_>,
        range: &mut Range,
        place: Place,
    ) -> Result<Result<bool, Walked>, Error> {
        let (ids, last) = match stripe::note(session, terms, range, place, self.claim.unit).await {
            Ok(Some(noted)) => noted,
            Ok(None) => return Ok(Ok(true)),
            // It is the condition itself that fails.
            Err(error) if remedy(&error) == Remedy::Bisect => {
                session.run("ROLLBACK").await?;
                return Ok(Err(Walked::AlongKey));
            }
            Err(error) => return Err(error),
        };
        (range.block, range.step) = place.next();
        if range.step == 0 {
            range.chunk = None;
        }
        let claim = Claim { range: range.id, token: range.token, ..self.claim.clone() };
        let sweep = Sweep {
            texts: self.texts,
            claim: &claim,
            settings: self.settings,
            ledger: self.stage.ledger,
            rows: 1,
            quarantined: self.quarantined,
            stop: &self.stage.stop,
            deadline: self.deadline,
            holder: None,
        };
        let noted = ids.len() as u64;
        Ok(match sweep.closely(session, ids).await? {
            Visited::Settled(_) => {
                *self.tally.lock().unwrap_or_else(PoisonError::into_inner).rows += noted;
                Ok(last)
            }
            Visited::Lost => Ok(true),
            Visited::Beyond(ended) => Err(Walked::Ended(ended)),
        })
    }

    /// The next batch: the next step of the chunk under way, or the first of the next one.
    fn place(&mut self, range: &mut Range) -> Place {
        let (block, step) = (range.block, if range.chunk.is_some() { range.step } else { 0 });
        let chunk = *range.chunk.get_or_insert_with(|| {
            let next = self.sizing.next();
            Chunk { blocks: next.blocks.min(range.end_block - block), ..next }
        });
        Place { block, chunk, step }
    }

    fn committed(
        &mut self,
        range: &mut Range,
        place: Place,
        took: Duration,
        (matched, done, full): (u64, u64, bool),
    ) {
        self.sizing.learn(took, matched);
        if full {
            (range.step, range.chunk) = (0, None);
            self.sizing.overfull(place.chunk);
        } else {
            (range.block, range.step) = place.next();
            if range.step == 0 {
                range.chunk = None;
                self.sizing.chunk_done(place.chunk);
            }
        }
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.rows += done;
        tally.progress.batches += 1;
        let rows = *tally.rows;
        if let Some(event) = tally.progress.due(rows, 0, self.sizing.batch_rows(), false) {
            (self.stage.events)(event);
        }
    }

    async fn pause(&self) {
        if !self.settings.pause.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(self.settings.pause) => {}
                () = self.stage.stop.cancelled() => {}
            }
        }
    }
}
