//! What follows an error in a batch of a walk: again, smaller, or a closer look at its rows.

use std::sync::PoisonError;
use std::time::Instant;

use postgres::{Backoff, Error, Session};

use crate::chunk::Place;
use crate::claim::Claim;
use crate::failure::{Ended, Remedy, remedy};
use crate::live::Now;
use crate::names::Over;
use crate::quarantine::Visited;
use crate::range::Range;
use crate::stripe::{self, Terms};
use crate::sweep::Sweep;
use crate::walked::Walked;
use crate::walker::Walker;
use crate::worker::backoff;

/// Deadlocks and failed serializations in a row.
const STUBBORN: u32 = 10;

/// How the walk goes on after a setback.
pub(crate) enum Next {
    /// With the range.
    Again,
    /// Without it: it is done, or lost.
    Over,
    /// The range is given back, and the walker ends so.
    Ends(Walked),
}

/// Setbacks in a row.
pub(crate) struct Setbacks {
    stubborn: u32,
    /// Since when somebody else has what is needed.
    waiting: Option<Instant>,
    wait: Backoff,
}

impl Setbacks {
    pub(crate) fn new() -> Self {
        Self { stubborn: 0, waiting: None, wait: backoff() }
    }

    /// A batch is committed.
    pub(crate) fn are_over(&mut self) {
        (self.stubborn, self.waiting) = (0, None);
    }
}

impl Walker<'_> {
    /// After an error in the batch at a place of a range, which began at that instant.
    pub(crate) async fn set_back(
        &mut self,
        session: &mut Session,
        (terms, now): (&Terms<'_>, &Now),
        (range, place, started): (&mut Range, Place, Instant),
        setbacks: &mut Setbacks,
        error: Error,
    ) -> Result<Next, Error> {
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
                return Ok(Next::Again);
            }
            Remedy::GiveWay => {
                let waited = setbacks.waiting.get_or_insert(started).elapsed();
                // A row that somebody else holds: the others first. The table itself can only be waited for.
                closely = error.server().is_some_and(|report| report.context.is_some());
                if !closely && waited > now.settings.lock_timeout {
                    return Ok(Next::Ends(Walked::Ended(Ended::Incomplete(format!(
                        "others hold what it needs: {error}"
                    )))));
                }
            }
            Remedy::Shrink if self.strides.over == Over::Keys => closely = true,
            Remedy::Shrink => {
                range.chunk = None;
                if !self.sizing.halve() {
                    return Ok(Next::Ends(Walked::AlongKey));
                }
            }
            Remedy::Bisect => {}
            _ => {
                setbacks.stubborn += 1;
                self.sizing.contended();
                if setbacks.stubborn > STUBBORN {
                    return Err(error);
                }
            }
        }
        if closely {
            return self.close_in(session, (terms, now), range, place).await;
        }
        tokio::select! {
            () = tokio::time::sleep(setbacks.wait.next_wait()) => {}
            () = self.stage.stop.cancelled() => {}
        }
        Ok(Next::Again)
    }

    /// A batch with a row that cannot be done: its rows are noted and visited by their keys.
    async fn close_in(
        &self,
        session: &mut Session,
        (terms, now): (&Terms<'_>, &Now),
        range: &mut Range,
        place: Place,
    ) -> Result<Next, Error> {
        let (ids, last) = match stripe::note(session, terms, range, place).await {
            Ok(Some(noted)) => noted,
            Ok(None) => return Ok(Next::Over),
            // It is the condition itself that fails.
            Err(error) if remedy(&error) == Remedy::Bisect && self.strides.over == Over::Blocks => {
                session.run("ROLLBACK").await?;
                return Ok(Next::Ends(Walked::AlongKey));
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
            live: self.live,
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
                if last { Next::Over } else { Next::Again }
            }
            Visited::Lost => Next::Over,
            Visited::Beyond(ended) => Next::Ends(Walked::Ended(ended)),
        })
    }
}
