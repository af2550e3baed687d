//! What is said and recorded when all units of a definition are over, and when its time is.

use std::time::{Duration, Instant};

use postgres::{Error, Session};

use crate::claim;
use crate::failure::{Ended, Remedy, remedy};
use crate::outcome::grouped;
use crate::quarantine;
use crate::record;
use crate::relation::{Division, Relation};
use crate::stoppable::{GRACE, stoppable};
use crate::unit;
use crate::unit_work::LOOK;
use crate::worker::Worker;

/// One attempt to get the lock that a constraint is validated under.
const VALIDATE: Duration = Duration::from_millis(500);

impl Worker<'_> {
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
        session.run(&format!("SET lock_timeout = {}", self.settings.lock_timeout.as_millis())).await?;
        Ok(None)
    }

    /// Out of time: whether others are at it still.
    pub(crate) async fn beside_others(&self, session: &mut Session, ended: Ended) -> Result<Ended, Error> {
        let Ended::Incomplete(why) = ended else { return Ok(ended) };
        let why = self.beside_newcomers(why);
        Ok(Ended::Incomplete(match claim::holder(session, self.stage.ledger, self.backfill).await? {
            Some(who) => format!("{why}; some of it is with {who}"),
            None => why,
        }))
    }

    /// Out of time: whether new rows keep coming.
    pub(crate) fn beside_newcomers(&self, mut why: String) -> String {
        if let Some(per_second) = self.newcomers.filter(|_| why.starts_with("the budget")) {
            why.push_str(&format!("; new rows that match keep coming, about {per_second:.0} per second"));
        }
        why
    }

    /// Closes the lid, and leaves the ledger as the next run should find it. A ledger that cannot be written now is found
    /// with leases that lapse, which says the same.
    pub(crate) async fn close(&mut self, ended: &Ended) {
        if self.progress.batches > 0
            && let Some(event) = self.progress.due(self.rows, self.skipped, 0, true)
        {
            (self.stage.events)(event);
        }
        for session in self.sessions.drain(..) {
            session.close().await;
        }
        if self.backfill == 0 || matches!(ended, Ended::Unchanged | Ended::Refused(_)) {
            return;
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.stage.worker_session(&self.settings).await {
                Ok(session) => session,
                Err(_) => return,
            },
        };
        let (ledger, reason, backfill) = (self.stage.ledger, ended.reason(), self.backfill);
        let _ = match ended {
            Ended::Failed { sqlstate, .. } => {
                let why = (sqlstate.as_deref(), reason.as_deref());
                record::set_state(&mut session, ledger, backfill, "failed", why).await
            }
            Ended::KeepMatching { .. } => {
                record::set_state(&mut session, ledger, backfill, "failed", (None, reason.as_deref())).await
            }
            _ => record::stopped(&mut session, ledger, backfill, reason.as_deref()).await,
        };
        session.close().await;
    }
}
