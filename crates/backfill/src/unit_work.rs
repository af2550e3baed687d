//! The work on one unit: its passes, each walked, swept and proven.

use std::time::Duration;

use postgres::{Error, Session};

use crate::claim::{self, Pass};
use crate::control;
use crate::failure::{Ended, Remedy, remedy, told};
use crate::names::Over;
use crate::part::Part;
use crate::record;
use crate::relation::{Division, Relation};
use crate::settings::Walk as WalkSetting;
use crate::statement::Kind;
use crate::stoppable::{GRACE, stoppable};
use crate::unit::{self, Unit};
use crate::verify;
use crate::walk::Walk;
use crate::worker::Worker;

/// Between looks at what others have.
pub(crate) const LOOK: Duration = Duration::from_millis(150);

impl Worker<'_> {
    /// One unit, as far as it goes. `None`: others are at what is left of it.
    pub(crate) async fn unit(
        &mut self,
        session: &mut Session,
        table: &Relation,
        unit: Unit,
    ) -> Result<Option<Ended>, Error> {
        let (definition, ledger) = (self.definition, self.stage.ledger);
        let Some(mut relation) = unit.relation(session, table).await? else {
            return Ok(Some(Ended::Gone));
        };
        if matches!(table.division, Division::Tenants(..)) && unit.tenant.is_none() {
            // What is wrong with a tenant's rows is that tenant's.
            let failed = unit::failed(session, ledger, self.backfill).await?;
            relation.except = failed.into_iter().map(|(name, ..)| name).collect();
        }
        let (id, oid) = (unit.id, relation.oid);
        let Some(part) = Part::compose(definition, (unit, relation), ledger) else {
            return Ok(Some(Ended::Refused(told(&crate::plan::not_composed(definition)))));
        };
        self.watches(oid);
        if definition.is_once()
            && let Some(ended) = self.barrier(session, &part.unit).await?
        {
            return Ok(Some(ended));
        }
        loop {
            if let Some(ended) = self.hindered() {
                return Ok(Some(ended));
            }
            if !self.may_go_on(session).await? {
                continue;
            }
            let pass = self.pass(session, &part).await?;
            if !pass.is_walked {
                if let Some(ended) = self.sampled(session, &part, &pass).await? {
                    return Ok(ended);
                }
                match self.walk(session, &part, &pass).await? {
                    Walk::Ended(ended) => return Ok(Some(ended)),
                    Walk::Again => {}
                    Walk::Through if !self.pass(session, &part).await?.is_walked => return Ok(None),
                    Walk::Through => {}
                }
                continue;
            }
            let owner = (self.stage.owner(), self.settings.lease);
            let about = (self.backfill, id, pass.id);
            let claimed = claim::claim(session, ledger, about, (&owner.0, owner.1)).await?;
            let Some(claim) = claimed else { return Ok(None) };
            let ended = self.conclude(session, &part, (&claim, &pass)).await?;
            claim::release(session, ledger, &claim).await?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
    }

    /// The unit's latest pass; the first is made here.
    async fn pass(&self, session: &mut Session, part: &Part) -> Result<Pass, Error> {
        let (ledger, unit) = (self.stage.ledger, &part.unit);
        if let Some(pass) = claim::latest(session, ledger, unit.id).await? {
            return Ok(pass);
        }
        let hi = match &unit.bound {
            Some(bound) => Some(bound.clone()).filter(|bound| !bound.is_empty()),
            None => verify::greatest_key(session, &part.texts).await?,
        };
        let over = match (self.settings.walk, &part.blocks) {
            (WalkSetting::Blocks, Some(_)) => Over::Blocks,
            _ => Over::Keys,
        };
        claim::first(session, ledger, unit.id, (hi.as_deref(), over, part.relation.oid)).await
    }

    /// Before the first batch ever: does a row that is done stop matching? `Some`: the unit goes no further now.
    async fn sampled(
        &mut self,
        session: &mut Session,
        part: &Part,
        pass: &Pass,
    ) -> Result<Option<Option<Ended>>, Error> {
        let (ledger, definition) = (self.stage.ledger, self.definition);
        let known = definition.kind == Kind::Delete || definition.is_once() || pass.number > 1;
        if known || record::is_sampled(session, ledger, self.backfill).await? {
            return Ok(None);
        }
        let owner = (self.stage.owner(), self.settings.lease);
        let about = (self.backfill, part.unit.id, pass.id);
        let claimed = claim::claim(session, ledger, about, (&owner.0, owner.1)).await?;
        let Some(claim) = claimed else { return Ok(Some(None)) };
        let canceller = session.canceller();
        let sample = verify::sample(session, &part.texts, &claim, &self.settings, ledger);
        let sampled = match stoppable(&self.stage.stop, &canceller, GRACE, sample).await {
            // A row that cannot be done is the walk's to find, and so is one that takes long.
            Err(error) if matches!(remedy(&error), Remedy::Bisect | Remedy::Shrink | Remedy::GiveWay) => {
                session.run("ROLLBACK").await?;
                None
            }
            sampled => sampled?,
        };
        claim::release(session, ledger, &claim).await?;
        if let Some(verify::Unchanged { rows, of, examples }) = sampled
            && rows >= of
        {
            return Ok(Some(Some(Ended::KeepMatching { rows, examples, sampled: true })));
        }
        record::sampled(session, ledger, self.backfill).await?;
        Ok(None)
    }

    /// In mode `once`: those who were writing when the bound was taken may commit rows below it. They are waited for
    /// without a lock.
    async fn barrier(&self, session: &mut Session, unit: &Unit) -> Result<Option<Ended>, Error> {
        loop {
            let Some(who) = unit::writing(session, &unit.writers).await? else { return Ok(None) };
            if let Some(ended) = self.hindered() {
                return Ok(Some(match ended {
                    Ended::Incomplete(why) => Ended::Incomplete(format!(
                        "{why}; a transaction from before it began is still open: {who}"
                    )),
                    ended => ended,
                }));
            }
            self.wait(LOOK).await;
        }
    }

    /// Records how a unit ended.
    pub(crate) async fn unit_ended(
        &mut self,
        session: &mut Session,
        (unit, name): (i64, &str),
        ended: Ended,
    ) -> Result<(), Error> {
        let reason = ended.reason();
        let state = match &ended {
            Ended::Complete => "done",
            Ended::Gone => "gone",
            Ended::Failed { .. } | Ended::KeepMatching { .. } | Ended::Quarantined(_) => "failed",
            // Another unit may be free of what holds this one up.
            _ => "running",
        };
        let sqlstate = match &ended {
            Ended::Failed { sqlstate, .. } => sqlstate.as_deref(),
            _ => None,
        };
        unit::close(session, self.stage.ledger, unit, state, (sqlstate, reason.as_deref())).await?;
        if !matches!(state, "done" | "gone") {
            self.short.push((name.to_owned(), ended));
        }
        Ok(())
    }

    /// All that is left is with others: waits for them.
    pub(crate) async fn others(&self, session: &mut Session) -> Result<Option<Ended>, Error> {
        self.may_go_on(session).await?;
        if let Some(ended) = self.hindered() {
            return Ok(Some(ended));
        }
        self.wait(LOOK).await;
        Ok(None)
    }

    /// Whether neither a person nor the server's state holds it up; waits a moment where it is held up.
    async fn may_go_on(&self, session: &mut Session) -> Result<bool, Error> {
        let Some(live) = &self.live else { return Ok(true) };
        live.asked(control::read(session, self.stage.ledger, self.backfill).await?);
        if live.now().holds().is_none() {
            return Ok(true);
        }
        let mut changes = live.changes();
        tokio::select! {
            _ = changes.changed() => {}
            () = self.wait(LOOK) => {}
        }
        Ok(false)
    }

    pub(crate) async fn wait(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stage.stop.cancelled() => {}
        }
    }
}
