//! One of those who walk: a session, one range after the other.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use postgres::{Error, Session};
use tokio_util::sync::CancellationToken;

use crate::claim::Pass;
use crate::control::{self, Wanted};
use crate::failure::Ended;
use crate::live::{Live, Now, Patience};
use crate::names::Over;
use crate::pace::Pace;
use crate::range::{self, Range, Taker};
use crate::sizing::Sizing;
use crate::stage::Stage;
use crate::stoppable::{GRACE, stoppable};
use crate::strides::Strides;
use crate::stripe::Terms;
use crate::texts::Texts;
use crate::walked::{Tally, Walked};

/// While it may not go on: between two looks at what is asked.
const ASK: Duration = Duration::from_millis(250);

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
    pub(crate) patience: Patience,
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
            let canceller = session.canceller();
            let taken = range::take(session, self.stage.ledger, self.pass, &taker);
            let taken = stoppable(&self.stage.stop, &canceller, GRACE, taken).await?;
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

    pub(crate) fn hindered(&self) -> Option<Walked> {
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
        if Instant::now() >= self.deadline {
            return Some(Walked::Ended(now.at_the_end()));
        }
        now.is_left(self.patience, self.deadline).map(Walked::Ended)
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

    pub(crate) fn terms<'t>(&self, now: &'t Now, range: &Range) -> Terms<'t>
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

    /// Smaller batches, where somebody has waited for one.
    pub(crate) fn relieve(&mut self, now: &Now) {
        if now.pressure.halvings != self.halvings {
            self.halvings = now.pressure.halvings;
            self.sizing.halve();
        }
        self.sizing.aim(&now.settings);
    }

    pub(crate) async fn rest(&self, now: &Now, took: Duration, rows: u64) {
        let sleep = self.pace.sleep(&now.settings, &now.pressure, took, rows);
        tokio::select! {
            () = self.live.rest(sleep, &self.stage.stop) => {}
            () = self.halt.cancelled() => {}
        }
    }
}
