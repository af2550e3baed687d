//! One of those who walk: a session, a range and a chunk at a time, and what follows an error in a batch.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::{Error, Session};
use tokio_util::sync::CancellationToken;

use crate::chunk::{Chunk, Sizing};
use crate::claim::{Claim, Pass};
use crate::control::{self, Wanted};
use crate::failure::{Ended, Remedy, remedy};
use crate::live::{Live, Now};
use crate::names::Over;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::quarantine::Visited;
use crate::range::{self, Range, Taker};
use crate::stage::Stage;
use crate::stoppable::{GRACE, stoppable};
use crate::strides::{Place, Strides};
use crate::stripe::{self, Done, Stripe, Terms};
use crate::sweep::Sweep;
use crate::texts::Texts;
use crate::worker::backoff;

/// Deadlocks and failed serializations in a row.
const STUBBORN: u32 = 10;
/// While it may not go on: between two looks at what is asked.
const ASK: Duration = Duration::from_millis(250);

/// Why a walker stopped.
#[derive(Debug)]
pub(crate) enum Walked {
    /// No range is left to take.
    Through,
    /// There are more walkers than are wanted.
    Spare,
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
            Walked::Through | Walked::Spare => 0,
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
    pub(crate) skipped: &'a mut u64,
}

pub(crate) struct Walker<'a> {
    pub(crate) stage: &'a Stage<'a>,
    pub(crate) live: &'a Live,
    pub(crate) backfill: i64,
    pub(crate) unit: i64,
    pub(crate) pass: &'a Pass,
    pub(crate) strides: &'a Strides,
    pub(crate) texts: &'a Texts,
    pub(crate) oid: i64,
    pub(crate) quarantined: u64,
    pub(crate) sizing: Sizing,
    pub(crate) deadline: Instant,
    /// The how-many-eth it is.
    pub(crate) number: u32,
    /// Fires when one of us has to stop.
    pub(crate) halt: &'a CancellationToken,
    pub(crate) tally: &'a Mutex<Tally<'a>>,
    pub(crate) pace: Pace,
    pub(crate) halvings: u64,
}

impl<'a> Walker<'a> {
    /// One range after the other, until none is left.
    pub(crate) async fn run(&mut self, session: &mut Session) -> Result<Walked, Error> {
        let owner = self.stage.owner();
        loop {
            if let Some(walked) = self.hindered() {
                return Ok(walked);
            }
            let now = self.live.now();
            if now.holds().is_some() {
                self.wait(session).await?;
                continue;
            }
            let keys = self.sizing.keys();
            let taker = Taker {
                owner: &owner,
                lease: now.settings.lease,
                workers: now.settings.workers,
                keys: keys.blocks,
                stripes: keys.stripes,
                carve: &self.strides.carve,
            };
            let taken = range::take(session, self.stage.ledger, self.pass, &taker).await?;
            let Some(mut range) = taken else { return Ok(Walked::Through) };
            self.sizing.resume(range.size);
            if let Some(walked) = self.range(session, &mut range).await? {
                range::give_back(session, self.stage.ledger, &range).await?;
                if !matches!(walked, Walked::Through) {
                    return Ok(walked);
                }
            }
        }
    }

    fn hindered(&self) -> Option<Walked> {
        if self.stage.stop.is_cancelled() {
            return Some(Walked::Ended(Ended::Interrupted));
        }
        if self.halt.is_cancelled() {
            return Some(Walked::Spare);
        }
        let now = self.live.now();
        if now.control.wanted == Wanted::Cancel {
            return Some(Walked::Ended(Ended::Cancelled));
        }
        if self.number >= now.settings.workers.max(1) {
            return Some(Walked::Spare);
        }
        (Instant::now() >= self.deadline).then(|| {
            Walked::Ended(Ended::Incomplete(
                now.holds()
                    .map_or("the budget is over".into(), |why| format!("the budget is over, and {why}")),
            ))
        })
    }

    /// Holds nothing, until what is asked or what the server's state leaves is another.
    async fn wait(&self, session: &mut Session) -> Result<(), Error> {
        let mut changes = self.live.changes();
        tokio::select! {
            _ = changes.changed() => {}
            () = self.stage.stop.cancelled() => {}
            () = self.halt.cancelled() => {}
            () = tokio::time::sleep(ASK) => {}
        }
        self.live.asked(control::read(session, self.stage.ledger, self.backfill).await?);
        Ok(())
    }

    /// A range to its end, or until it is lost. `Some`: it is to be given back, and how the walker goes on.
    async fn range(&mut self, session: &mut Session, range: &mut Range) -> Result<Option<Walked>, Error> {
        let canceller = session.canceller();
        let (mut stubborn, mut waiting, mut wait) = (0, None::<Instant>, backoff());
        loop {
            if let Some(walked) = self.hindered() {
                return Ok(Some(walked));
            }
            let now = self.live.now();
            if now.holds().is_some() {
                return Ok(Some(Walked::Through));
            }
            self.relieve(&now);
            let place = self.place(range);
            let terms = self.terms(&now, range);
            let started = Instant::now();
            let batch = stripe::run(session, &terms, range, place);
            let error = match stoppable(&self.stage.stop, &canceller, GRACE, batch).await {
                Ok(Stripe::Done(done)) => {
                    let took = started.elapsed();
                    let limit = terms.limit;
                    self.committed(range, place, limit, took, done);
                    (stubborn, waiting) = (0, None);
                    if !done.last && !self.shorten(session, range, place, took).await? {
                        return Ok(None);
                    }
                    self.rest(&now, took, done.matched).await;
                    if done.last {
                        return Ok(None);
                    }
                    continue;
                }
                Ok(Stripe::Held) => {
                    let asked = control::read(session, self.stage.ledger, self.backfill).await?;
                    if self.live.asked(asked) || self.live.now().control.revision != now.control.revision {
                        continue;
                    }
                    return Ok(None);
                }
                Ok(Stripe::Crowded) => {
                    self.sizing.overfull(Chunk { blocks: range.size.max(1), ..place.chunk }, terms.limit);
                    let keys = (terms.limit / 2).max(1);
                    if !range::split(session, self.stage.ledger, range, (&self.strides.carve, keys)).await? {
                        return Ok(None);
                    }
                    continue;
                }
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
            let mut closely = what == Remedy::Bisect;
            match what {
                Remedy::GiveWay if terms.bold => {
                    self.sizing.contended();
                    continue;
                }
                Remedy::GiveWay => {
                    let waited = waiting.get_or_insert(started).elapsed();
                    // A row that somebody else holds: the others first. The table itself can only be waited for.
                    closely = error.server().is_some_and(|report| report.context.is_some());
                    if !closely && waited > now.settings.lock_timeout {
                        return Ok(Some(Walked::Ended(Ended::Incomplete(format!(
                            "others hold what it needs: {error}"
                        )))));
                    }
                }
                Remedy::Shrink if self.strides.over == Over::Keys => closely = true,
                Remedy::Shrink => {
                    range.chunk = None;
                    if !self.sizing.halve() {
                        return Ok(Some(Walked::AlongKey));
                    }
                }
                Remedy::Bisect => {}
                _ => {
                    stubborn += 1;
                    self.sizing.contended();
                    if stubborn > STUBBORN {
                        return Err(error);
                    }
                }
            }
            if closely {
                match self.close_in(session, (&terms, &now), range, place).await? {
                    Ok(true) => return Ok(None),
                    Ok(false) => continue,
                    Err(walked) => return Ok(Some(walked)),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait.next_wait()) => {}
                () = self.stage.stop.cancelled() => {}
            }
        }
    }

    /// A range of keys whose batches take far too long is cut, where what is done of it no longer matches. `false`: it is
    /// lost.
    async fn shorten(
        &mut self,
        session: &mut Session,
        range: &mut Range,
        place: Place,
        took: Duration,
    ) -> Result<bool, Error> {
        let chunk = Chunk { blocks: range.size, ..place.chunk };
        if self.strides.over != Over::Keys || self.strides.once || !self.sizing.is_slow(took, chunk) {
            return Ok(true);
        }
        let keys = self.sizing.keys().blocks;
        range::split(session, self.stage.ledger, range, (&self.strides.carve, keys)).await
    }

    fn terms<'t>(&self, now: &'t Now, range: &Range) -> Terms<'t>
    where
        'a: 't,
    {
        let limit = self.sizing.limit();
        // A range that was cut from a longer one may hold any number of rows, which only a look that locks can bound.
        let bounded = self.strides.over == Over::Blocks || range.size <= limit;
        Terms {
            strides: self.strides,
            settings: &now.settings,
            ledger: self.stage.ledger,
            backfill: self.backfill,
            revision: now.control.revision,
            unit: self.unit,
            oid: self.oid,
            bold: bounded && self.strides.has_plain() && self.sizing.is_bold(),
            limit,
            rows: self.sizing.batch_rows(),
        }
    }

    /// A batch with a row that cannot be done: its rows are noted and visited by their keys. `Ok(true)`: the range is over.
    async fn close_in(
        &self,
        session: &mut Session,
        (terms, now): (&Terms<'_>, &Now),
        range: &mut Range,
        place: Place,
    ) -> Result<Result<bool, Walked>, Error> {
        let (ids, last) = match stripe::note(session, terms, range, place).await {
            Ok(Some(noted)) => noted,
            Ok(None) => return Ok(Ok(true)),
            // It is the condition itself that fails.
            Err(error) if remedy(&error) == Remedy::Bisect && self.strides.over == Over::Blocks => {
                session.run("ROLLBACK").await?;
                return Ok(Err(Walked::AlongKey));
            }
            Err(error) => return Err(error),
        };
        (range.block, range.step) = place.next();
        if range.step == 0 && self.strides.over == Over::Blocks {
            range.chunk = None;
        }
        let claim = Claim { backfill: self.backfill, unit: self.unit, range: range.id, token: range.token };
        let sweep = Sweep {
            texts: self.texts,
            claim: &claim,
            settings: &now.settings,
            ledger: self.stage.ledger,
            rows: 1,
            quarantined: self.quarantined,
            stop: &self.stage.stop,
            deadline: self.deadline,
            holder: None,
        };
        Ok(match sweep.closely(session, ids).await? {
            Visited::Settled(settled) => {
                *self.tally.lock().unwrap_or_else(PoisonError::into_inner).rows += settled;
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

    fn committed(&mut self, range: &mut Range, place: Place, limit: i64, took: Duration, done: Done) {
        self.sizing.learn(took, done.matched);
        self.pace.learn(Instant::now(), took, done.matched);
        let (over_keys, chunk) = (self.strides.over == Over::Keys, place.chunk);
        if done.full {
            (range.step, range.chunk) = (0, None);
            self.sizing.overfull(chunk, limit);
        } else if !over_keys && place.next().1 != 0 && self.sizing.is_slow(took, chunk) {
            // What is done of it no longer matches.
            range.step = place.next().1;
            range.chunk = None;
        } else {
            (range.block, range.step) = place.next();
            if range.step == 0 {
                range.chunk = range.chunk.filter(|_| over_keys);
                self.sizing.chunk_done(if over_keys { Chunk { blocks: range.size, ..chunk } } else { chunk });
            }
        }
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.rows += done.done;
        *tally.skipped += done.skipped;
        tally.progress.batches += 1;
        let (rows, skipped) = (*tally.rows, *tally.skipped);
        if let Some(event) = tally.progress.due(rows, skipped, self.sizing.batch_rows(), false) {
            (self.stage.events)(event);
        }
    }

    /// Smaller batches, where somebody has waited for one.
    fn relieve(&mut self, now: &Now) {
        if now.pressure.halvings != self.halvings {
            self.halvings = now.pressure.halvings;
            self.sizing.halve();
        }
        self.sizing.aim(&now.settings);
    }

    async fn rest(&self, now: &Now, took: Duration, rows: u64) {
        let sleep = self.pace.sleep(&now.settings, now.pressure.duty, took, rows);
        if !sleep.is_zero() {
            let mut changes = self.live.changes();
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                _ = changes.changed() => {}
                () = self.stage.stop.cancelled() => {}
                () = self.halt.cancelled() => {}
            }
        }
    }
}
