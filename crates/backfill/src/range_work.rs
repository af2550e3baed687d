//! The work on one range: a batch after the other, until it is done or somebody else's.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use postgres::{Error, Session};

use crate::chunk::{Chunk, Place};
use crate::control;
use crate::names::Over;
use crate::range::{self, Range};
use crate::setback::{Next, Setbacks};
use crate::stoppable::{GRACE, stoppable};
use crate::stripe::{self, Done, Stripe};
use crate::walked::Walked;
use crate::walker::Walker;

impl Walker<'_> {
    /// A range to its end, or until it is lost. `Some`: it is to be given back, and how the walker goes on.
    pub(crate) async fn range(
        &mut self,
        session: &mut Session,
        range: &mut Range,
    ) -> Result<Option<Walked>, Error> {
        let canceller = session.canceller();
        let mut setbacks = Setbacks::new();
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
                    setbacks.are_over();
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
            match self
                .set_back(session, (&terms, &now), (range, place, started), &mut setbacks, error)
                .await?
            {
                Next::Again => {}
                Next::Over => return Ok(None),
                Next::Ends(walked) => return Ok(Some(walked)),
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
        self.pace.learn(Instant::now(), (took, done.matched), place.stripe());
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
}
