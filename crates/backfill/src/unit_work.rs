//! The work on one unit: its passes, each walked, swept and proven; and what remains to be said when all units are over.

use std::time::{Duration, Instant};

use postgres::{Error, Session};

use crate::claim::{self, Pass};
use crate::control::{self, Wanted};
use crate::failure::{Ended, Remedy, remedy};
use crate::names::Over;
use crate::outcome::grouped;
use crate::quarantine;
use crate::record;
use crate::relation::{Division, Relation};
use crate::settings::Walk as WalkSetting;
use crate::statement::Kind;
use crate::stoppable::{GRACE, stoppable};
use crate::unit::{self, Unit};
use crate::verify;
use crate::walk::Walk;
use crate::worker::{Part, Worker};

/// Between looks at what others have.
const LOOK: Duration = Duration::from_millis(150);
/// One attempt to get the lock that a constraint is validated under.
const VALIDATE: Duration = Duration::from_millis(500);

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
        let Some(mut part) = Part::compose(definition, (unit, relation), ledger) else {
            return Ok(Some(Ended::Refused(crate::worker::told(&crate::plan::not_composed(definition)))));
        };
        self.watches(oid);
        if definition.is_once() {
            part.unit = unit::bound(session, ledger, &part.unit, (&part.relation, &part.texts)).await?;
            if let Some(ended) = self.barrier(session, &part.unit).await? {
                return Ok(Some(ended));
            }
        }
        loop {
            if let Some(ended) = self.hindered() {
                return Ok(Some(ended));
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
            if !self.may_go_on(session).await? {
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

    /// Out of time: whether others are at it still.
    pub(crate) async fn beside_others(&self, session: &mut Session, ended: Ended) -> Result<Ended, Error> {
        let Ended::Incomplete(mut why) = ended else { return Ok(ended) };
        if let Some(per_second) = self.newcomers.filter(|_| why.starts_with("the budget")) {
            why.push_str(&format!("; new rows that match keep coming, about {per_second:.0} per second"));
        }
        Ok(Ended::Incomplete(match claim::holder(session, self.stage.ledger, self.backfill).await? {
            Some(who) => format!("{why}; some of it is with {who}"),
            None => why,
        }))
    }

    /// Whether nobody has paused it; waits a moment where somebody has.
    async fn may_go_on(&self, session: &mut Session) -> Result<bool, Error> {
        let Some(live) = &self.live else { return Ok(true) };
        live.asked(control::read(session, self.stage.ledger, self.backfill).await?);
        if live.now().control.wanted != Wanted::Pause {
            return Ok(true);
        }
        self.wait(LOOK).await;
        Ok(false)
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stage.stop.cancelled() => {}
        }
    }

    /// All units are over: complete, or what is short of it.
    pub(crate) async fn finish(
        &mut self,
        session: &mut Session,
        relation: &Relation,
    ) -> Result<Ended, Error> {
        let (ledger, backfill) = (self.stage.ledger, self.backfill);
        (self.rows, self.skipped) = record::counts(session, ledger, backfill).await?;
        let several = !matches!(relation.division, Division::Whole);
        if !self.short.is_empty() {
            return Ok(self.short_of(several));
        }
        // What another process has met.
        if let Some((name, sqlstate, error)) =
            unit::failed(session, ledger, backfill).await?.into_iter().next()
        {
            let reason = if several { format!("{name}: {error}") } else { error };
            return Ok(Ended::Failed { sqlstate, reason });
        }
        if let Some((rows, last)) = quarantine::of_backfill(session, ledger, backfill).await? {
            return Ok(Ended::Quarantined(format!(
                "{} rows are in quarantine, such as {last}",
                grouped(rows)
            )));
        }
        if let Some(constraint) = &self.definition.header.constraint
            && let Some(ended) = self.validate(session, relation, constraint).await?
        {
            return Ok(ended);
        }
        record::set_state(session, ledger, backfill, "done", (None, None)).await?;
        Ok(Ended::Complete)
    }

    /// The worst of what units were short of, told for all.
    fn short_of(&mut self, several: bool) -> Ended {
        let rank = |ended: &Ended| match ended {
            Ended::KeepMatching { .. } => 3,
            Ended::Failed { .. } => 2,
            Ended::Quarantined(_) => 1,
            _ => 0,
        };
        self.short.sort_by_key(|(_, ended)| std::cmp::Reverse(rank(ended)));
        let count = self.short.len();
        let (name, worst) = self.short.remove(0);
        if !several || count == 0 {
            return worst;
        }
        let others = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
        let what = if name.is_empty() { "the rest".to_owned() } else { name };
        let reason = format!("{what}{others}: {}", worst.reason().unwrap_or_default());
        match worst {
            Ended::Failed { sqlstate, .. } => Ended::Failed { sqlstate, reason },
            Ended::KeepMatching { .. } => worst,
            Ended::Quarantined(_) => Ended::Quarantined(reason),
            _ => Ended::Incomplete(reason),
        }
    }

    /// A constraint that was added NOT VALID becomes the lasting proof. The lock lets rows be written meanwhile.
    async fn validate(
        &self,
        session: &mut Session,
        relation: &Relation,
        constraint: &str,
    ) -> Result<Option<Ended>, Error> {
        let text = format!(
            "SET lock_timeout = {}; SET statement_timeout = 0; ALTER TABLE {} VALIDATE CONSTRAINT {}",
            VALIDATE.as_millis(),
            relation.name,
            sql::identifier(constraint)
        );
        let started = Instant::now();
        let canceller = session.canceller();
        loop {
            let validated =
                stoppable(&self.stage.stop, &canceller, GRACE, async { session.run(&text).await }).await;
            let error = match validated {
                Ok(_) => break,
                Err(error) if self.stage.stop.is_cancelled() => return Err(error),
                Err(error) => error,
            };
            match remedy(&error) {
                Remedy::GiveWay if started.elapsed() < self.settings.lock_timeout => self.wait(LOOK).await,
                Remedy::GiveWay => {
                    let reason =
                        format!("all rows are done, but {constraint} could not be validated: {error}");
                    return Ok(Some(Ended::Incomplete(reason)));
                }
                Remedy::Reconnect => return Err(error),
                _ => {
                    let sqlstate = error.sqlstate().map(str::to_owned);
                    let reason =
                        format!("all rows are done, but {constraint} could not be validated: {error}");
                    return Ok(Some(Ended::Failed { sqlstate, reason }));
                }
            }
        }
        session.run("RESET lock_timeout; SET lock_timeout = 0").await?;
        Ok(None)
    }
}
