//! What follows the walk over a unit: the sweep of the rows that were locked, the proof that nothing matches.

use postgres::{Error, Session};

use crate::claim::{self, Claim, Pass};
use crate::event::Event;
use crate::failure::Ended;
use crate::names::Over;
use crate::outcome::grouped;
use crate::part::Part;
use crate::quarantine;
use crate::record;
use crate::stoppable::bounded;
use crate::sweep::{Sweep, Swept};
use crate::verify;
use crate::worker::{Worker, taken_over};

/// Passes over a unit in one run.
const PASSES: i32 = 20;

impl Worker<'_> {
    /// With the lease on a pass that is walked: the sweep and the proof. `None`: another pass is needed.
    pub(crate) async fn conclude(
        &mut self,
        session: &mut Session,
        part: &Part,
        (claim, pass): (&Claim, &Pass),
    ) -> Result<Option<Ended>, Error> {
        if let Some(ended) = self.sweep(session, part, claim).await? {
            return Ok(Some(ended).filter(|ended| !matches!(ended, Ended::Held)));
        }
        // In mode `once` all that was met is done or set aside by now, and nothing else is asked.
        if self.definition.is_once() {
            return Ok(Some(self.settled(session, claim).await?));
        }
        let mut matches = self.any_matches(session, part).await?;
        // What moved behind the cursor, or was locked, is met by its key; what was done and matches all the same is not.
        let kept = if matches { claim::kept(session, self.stage.ledger, (claim, pass)).await?.0 } else { 0 };
        if matches && kept == 0 && self.note_left(session, part, claim).await? > 0 {
            if let Some(ended) = self.sweep(session, part, claim).await? {
                return Ok(Some(ended).filter(|ended| !matches!(ended, Ended::Held)));
            }
            matches = self.any_matches(session, part).await?;
        }
        if matches {
            return self.again(session, part, (claim, pass)).await;
        }
        Ok(Some(self.settled(session, claim).await?))
    }

    /// Complete, but for rows that are set aside.
    async fn settled(&self, session: &mut Session, claim: &Claim) -> Result<Ended, Error> {
        Ok(match quarantine::of_unit(session, self.stage.ledger, claim.unit).await? {
            Some((rows, last)) => {
                let rows = if rows == 1 { "1 row is".into() } else { format!("{} rows are", grouped(rows)) };
                Ended::Quarantined(format!("{rows} in quarantine, such as {last}"))
            }
            None => Ended::Complete,
        })
    }

    async fn sweep(
        &mut self,
        session: &mut Session,
        part: &Part,
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
        let Some(live) = self.live.clone() else { return Ok(Some(Ended::Interrupted)) };
        let mut monitor = self.stage.session("backfill-monitor").await?;
        let settings = self.now();
        let mut sweep = Sweep {
            texts: &part.texts,
            claim,
            settings: &settings,
            live: &live,
            ledger,
            rows: i64::from(settings.min_batch),
            quarantined: quarantine::limit(&settings, self.estimated_rows),
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
            Swept::Beyond(ended) => Some(ended),
            // The unit's work is looked at anew.
            Swept::Asked => return Ok(Some(Ended::Held)),
            Swept::Lost => Some(taken_over()),
            Swept::Locked(what) => Some(Ended::Incomplete(what)),
            Swept::Stopped(what) => Some(Ended::Incomplete(format!("the budget is over, and {what}"))),
        })
    }

    /// "Complete" is only said after this: a live statement, in a snapshot of its own, that finds no row that matches.
    async fn any_matches(&mut self, session: &mut Session, part: &Part) -> Result<bool, Error> {
        (self.stage.events)(Event::Verifying {
            id: self.definition.id.clone(),
            table: self.definition.shown_table(),
        });
        record::set_state(session, self.stage.ledger, self.backfill, "verifying", (None, None)).await?;
        let canceller = session.canceller();
        let look = verify::any_matches(session, &part.texts, self.backfill);
        bounded(&self.stage.stop, self.deadline, &canceller, look).await
    }

    async fn note_left(&self, session: &mut Session, part: &Part, claim: &Claim) -> Result<u64, Error> {
        let canceller = session.canceller();
        let noted = verify::note_left(session, &part.texts, claim, self.stage.ledger);
        bounded(&self.stage.stop, self.deadline, &canceller, noted).await
    }

    /// Rows match after the sweep: they keep matching, or new ones have come and there is another pass.
    async fn again(
        &mut self,
        session: &mut Session,
        part: &Part,
        (claim, pass): (&Claim, &Pass),
    ) -> Result<Option<Ended>, Error> {
        let (ledger, texts) = (self.stage.ledger, &part.texts);
        let (unchanged, before) = claim::kept(session, ledger, (claim, pass)).await?;
        let canceller = session.canceller();
        let left = verify::left(session, texts, pass.hi.as_deref(), claim.backfill);
        let left = bounded(&self.stage.stop, self.deadline, &canceller, left).await?;
        let again: Vec<_> = left.examples.iter().filter(|key| before.contains(key)).cloned().collect();
        if left.within > 0 && (unchanged >= left.within || !again.is_empty()) {
            let examples = if again.is_empty() { left.examples } else { again };
            return Ok(Some(Ended::KeepMatching { rows: left.within, examples, sampled: false }));
        }
        self.passes += 1;
        let rows = left.within + left.beyond;
        let per_second = rows as f64 / self.since_pass.elapsed().as_secs_f64().max(0.001);
        self.newcomers = Some(per_second);
        if self.passes >= PASSES {
            let rows = grouped(rows);
            return Ok(Some(Ended::Incomplete(format!(
                "new rows that match keep coming, about {per_second:.0} per second: {rows} at the last look; \
                 have the application or a trigger write them as they should be"
            ))));
        }
        self.since_pass = std::time::Instant::now();
        let hi = verify::greatest_key(session, texts).await?;
        // Where all that is left is behind the bound, the rest of the table need not be walked again.
        let lo = if left.within == 0 { pass.hi.as_deref() } else { None };
        let over = if lo.is_none() { pass.over } else { Over::Keys };
        let added = claim::next_pass(
            session,
            ledger,
            (claim, pass),
            (lo, hi.as_deref()),
            &left.examples,
            (over, part.relation.oid),
        )
        .await?;
        Ok((!added).then(taken_over))
    }
}
