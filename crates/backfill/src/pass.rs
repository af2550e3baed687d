//! One pass over the table: the walk, the sweep of the rows that were locked, the proof that nothing matches.

use std::time::Duration;

use postgres::{Error, Session};

use crate::block_walk::Walk;
use crate::claim::{self, Claim};
use crate::event::Event;
use crate::failure::Ended;
use crate::outcome::grouped;
use crate::quarantine;
use crate::record;
use crate::sweep::Swept;
use crate::texts::Texts;
use crate::verify;
use crate::walk::stoppable;
use crate::worker::{Worker, taken_over};

/// Passes in one run.
const PASSES: i32 = 20;

impl Worker<'_> {
    /// One pass: the walk, the sweep, the proof. `None`: another pass is needed.
    pub(crate) async fn pass(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<Option<Ended>, Error> {
        let ledger = self.stage.ledger;
        if !claim.done {
            if let Some(ended) = self.sample(session, texts, claim).await? {
                return Ok(Some(ended));
            }
            if claim.over_blocks {
                match self.walk_blocks(session, texts, claim).await? {
                    Walk::Done => {}
                    Walk::Again => return Ok(None),
                    Walk::Ended(ended) => return Ok(Some(ended)),
                }
            } else if let Some(ended) = self.walk(session, texts, claim).await? {
                return Ok(Some(ended));
            }
        }
        if let Some(ended) = self.sweep(session, texts, claim).await? {
            return Ok(Some(ended));
        }
        let mut matches = self.any_matches(session, texts, claim).await?;
        // What moved behind the cursor, or was locked, is met by its key.
        if matches && claim.over_blocks && verify::note_left(session, texts, claim, ledger).await? > 0 {
            if let Some(ended) = self.sweep(session, texts, claim).await? {
                return Ok(Some(ended));
            }
            matches = self.any_matches(session, texts, claim).await?;
        }
        self.prove(session, texts, claim, matches).await
    }

    pub(crate) async fn sweep(
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
        let quarantined = quarantine::limit(self.settings, self.estimated_rows);
        let mut sweep = self.sweeping(texts, claim, quarantined);
        let swept = sweep.run(session, &mut monitor).await;
        monitor.close().await;
        let swept = swept?;
        (self.rows, self.skipped) = record::counts(session, ledger, claim.backfill).await?;
        Ok(match swept {
            Swept::Clear => None,
            Swept::Beyond(ended) => Some(ended),
            Swept::Lost => Some(taken_over()),
            Swept::Locked(what) => Some(Ended::Incomplete(what)),
            Swept::Stopped(what) => Some(Ended::Incomplete(format!("the budget is over, and {what}"))),
        })
    }

    /// "Complete" is only said after this: a live statement, in a snapshot of its own, that finds no row that matches.
    async fn any_matches(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
    ) -> Result<bool, Error> {
        (self.stage.events)(Event::Verifying {
            id: self.definition.id.clone(),
            table: self.definition.shown_table(),
        });
        record::set_state(session, self.stage.ledger, claim.backfill, "verifying", (None, None)).await?;
        let canceller = session.canceller();
        stoppable(
            &self.stage.stop,
            &canceller,
            Duration::ZERO,
            verify::any_matches(session, texts, claim.backfill),
        )
        .await
    }

    /// What follows the look for rows that match: the end, or another pass.
    pub(crate) async fn prove(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        claim: &Claim,
        matches: bool,
    ) -> Result<Option<Ended>, Error> {
        let ledger = self.stage.ledger;
        if !matches {
            if let Some((rows, last)) = quarantine::of_backfill(session, ledger, claim.backfill).await? {
                let rows = if rows == 1 { "1 row is".into() } else { format!("{} rows are", grouped(rows)) };
                return Ok(Some(Ended::Incomplete(format!("{rows} in quarantine, such as {last}"))));
            }
            record::set_state(session, ledger, claim.backfill, "done", (None, None)).await?;
            return Ok(Some(Ended::Complete));
        }
        let Some((unchanged, before)) = claim::kept(session, ledger, claim).await? else {
            return Ok(Some(taken_over()));
        };
        let left = verify::left(session, texts, claim.hi.as_deref(), claim.backfill).await?;
        let again: Vec<_> = left.examples.iter().filter(|key| before.contains(key)).cloned().collect();
        if left.within > 0 && (unchanged >= left.within || !again.is_empty()) {
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
        let blocks = (claim.over_blocks && lo.is_none(), self.oid);
        let added =
            claim::next_pass(session, ledger, claim, (lo, hi.as_deref()), &left.examples, blocks).await?;
        Ok((!added).then(taken_over))
    }
}
