//! The walk over heap blocks: some walkers, each with a session, a range and a chunk at a time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use postgres::{Error, Session, Stage};
use tokio_util::sync::CancellationToken;

use crate::blocks::{Blocks, Place};
use crate::chunk::{Chunk, Sizing};
use crate::claim::Claim;
use crate::event::Event;
use crate::failure::{Ended, Remedy, remedy};
use crate::progress::Progress;
use crate::range::{self, Range, Standing};
use crate::settings::Settings;
use crate::stripe::{self, Stripe, Terms};
use crate::walk::{GRACE, stoppable};
use crate::worker::{Worker, backoff, taken_over};

/// Between looks at ranges that others have.
const LOOK: Duration = Duration::from_millis(50);
/// Deadlocks and failed serializations in a row.
const STUBBORN: u32 = 10;

/// Why a walker stopped.
#[derive(Debug)]
enum Walked {
    /// No range is left to take.
    Through,
    /// Out of time, told to stop, held up.
    Ended(Ended),
    /// The table is stored anew.
    Rewritten,
    /// Some row has to be looked at by itself.
    AlongKey,
}

/// How a walk over blocks ended.
#[derive(Debug)]
pub(crate) enum Walk {
    /// All ranges are done.
    Done,
    /// The pass has to begin anew, in another way.
    Again,
    /// It goes no further.
    Ended(Ended),
}

/// What the walkers have done together.
struct Tally<'a> {
    progress: &'a mut Progress,
    rows: &'a mut u64,
}

struct Walker<'a> {
    stage: &'a Stage<'a, Event>,
    settings: &'a Settings,
    claim: &'a Claim,
    blocks: &'a Blocks,
    oid: i64,
    sizing: Sizing,
    deadline: Instant,
    /// Fires when one of us has to stop.
    halt: &'a CancellationToken,
    tally: &'a Mutex<Tally<'a>>,
}

impl Worker<'_> {
    /// Walks the pass to its end.
    pub(crate) async fn walk_blocks(&mut self, session: &mut Session, claim: &Claim) -> Result<Walk, Error> {
        let ledger = self.stage.ledger;
        let Some((blocks, oid, density)) = self.blocks.clone() else {
            // Begun over blocks, to be gone on with along the key.
            range::restart(session, ledger, claim, self.oid, true).await?;
            return Ok(Walk::Again);
        };
        loop {
            let along_key = match self.walkers(session, claim, &blocks, (oid, density)).await? {
                Walked::Ended(ended) => return Ok(Walk::Ended(ended)),
                Walked::Through => match range::settle(session, ledger, claim).await? {
                    Standing::Done => return Ok(Walk::Done),
                    Standing::Lost => return Ok(Walk::Ended(taken_over())),
                    Standing::Under => {
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                },
                Walked::Rewritten => false,
                Walked::AlongKey => true,
            };
            range::restart(session, ledger, claim, oid, along_key).await?;
            return Ok(Walk::Again);
        }
    }

    async fn walkers(
        &mut self,
        session: &mut Session,
        claim: &Claim,
        blocks: &Blocks,
        (oid, density): (i64, Option<f64>),
    ) -> Result<Walked, Error> {
        let (stage, settings, deadline) = (self.stage, self.settings, self.deadline);
        let mut others = Vec::new();
        for _ in 1..settings.workers.max(1) {
            others.push(stage.lock.session("backfill").await?);
        }
        let halt = CancellationToken::new();
        let tally = Mutex::new(Tally { progress: &mut self.progress, rows: &mut self.rows });
        let walks = std::iter::once(session).chain(&mut others).map(|session| {
            let sizing = Sizing::new(settings, blocks.stripes, density);
            let (halt, tally) = (&halt, &tally);
            let mut walker = Walker { stage, settings, claim, blocks, oid, sizing, deadline, halt, tally };
            async move {
                let walked = walker.run(session).await;
                if !matches!(walked, Ok(Walked::Through)) {
                    halt.cancel();
                }
                walked
            }
        });
        let walked = try_join_all(walks.collect::<Vec<_>>()).await;
        for other in others {
            other.close().await;
        }
        Ok(walked?.into_iter().max_by_key(Walked::weight).unwrap_or(Walked::Through))
    }
}

impl Walked {
    /// Which of several counts.
    fn weight(&self) -> u8 {
        match self {
            Walked::Through => 0,
            Walked::Ended(_) => 1,
            Walked::Rewritten => 2,
            Walked::AlongKey => 3,
        }
    }
}

impl Walker<'_> {
    /// One range after the other, until none is left.
    async fn run(&mut self, session: &mut Session) -> Result<Walked, Error> {
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
                Remedy::Bisect => return Ok(Some(Walked::AlongKey)),
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
