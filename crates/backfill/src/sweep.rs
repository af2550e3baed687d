//! The rows that were locked when their batch came by: each is visited again, and whoever still holds one is named.

use std::time::{Duration, Instant};

use postgres::holders::{self, Blocker};
use postgres::{Error, Row, Session, query};
use tokio_util::sync::CancellationToken;

use crate::claim::Claim;
use crate::control::{self, Wanted};
use crate::failure::{Ended, Remedy, remedy};
use crate::fence;
use crate::live::Live;
use crate::outcome::grouped;
use crate::pace;
use crate::quarantine::Visited;
use crate::settings::Settings;
use crate::texts::Texts;

/// How long one attempt waits for a single row.
const ATTEMPT: Duration = Duration::from_millis(300);
/// Asking who blocks whom takes the lock manager's partitions: at most this often.
const LOOK: Duration = Duration::from_secs(1);
/// Notes visited in one transaction at most.
const NOTES: i64 = 200;

/// How a sweep ended.
#[derive(Debug)]
pub(crate) enum Swept {
    /// No note is left.
    Clear,
    /// The lease is no longer ours.
    Lost,
    /// Out of time, or told to stop, with rows left.
    Stopped(String),
    /// Nobody let go for as long as we are patient.
    Locked(String),
    /// Somebody wants it to wait or to end, or the server's state does.
    Asked,
    /// More rows cannot be done than may be.
    Beyond(Ended),
}

/// What a sweep works with.
pub(crate) struct Sweep<'a> {
    pub(crate) texts: &'a Texts,
    pub(crate) claim: &'a Claim,
    pub(crate) settings: &'a Settings,
    pub(crate) live: &'a Live,
    pub(crate) ledger: &'a str,
    /// Rows in one transaction; the size of batches, which errors bring down.
    pub(crate) rows: i64,
    /// Rows that may be set aside.
    pub(crate) quarantined: u64,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) deadline: Instant,
    /// Whom rows were last seen to wait for.
    pub(crate) holder: Option<Blocker>,
}

impl Sweep<'_> {
    /// Visits the notes until there are none: all that are free at once, then one row at a time that is waited for.
    pub(crate) async fn run(&mut self, session: &mut Session, monitor: &mut Session) -> Result<Swept, Error> {
        let (mut progress, mut looked) = (Instant::now(), None::<Instant>);
        loop {
            let (left, settled) = match self.free(session).await? {
                Ok(counts) => counts,
                Err(swept) => return Ok(swept),
            };
            if left == 0 {
                return Ok(Swept::Clear);
            }
            if settled > 0 {
                progress = Instant::now();
            }
            let what = self.what(left);
            self.live.asked(control::read(session, self.ledger, self.claim.backfill).await?);
            if self.is_held() {
                return Ok(Swept::Asked);
            }
            if self.stop.is_cancelled() || Instant::now() >= self.deadline {
                return Ok(Swept::Stopped(what));
            }
            if progress.elapsed() > self.settings.lock_timeout {
                return Ok(Swept::Locked(what));
            }
            let look = looked.is_none_or(|at| at.elapsed() >= LOOK);
            if look {
                looked = Some(Instant::now());
            }
            match self.wait(session, monitor, look).await {
                Ok(true) => {}
                Ok(false) => return Ok(Swept::Lost),
                // Held by others still, or one that cannot be done: that is found out with it free.
                Err(error) if matches!(remedy(&error), Remedy::GiveWay | Remedy::Bisect | Remedy::Shrink) => {
                    session.run("ROLLBACK").await.map(drop)?
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn is_held(&self) -> bool {
        let now = self.live.now();
        now.control.wanted != Wanted::Run || now.holds().is_some()
    }

    fn what(&self, left: u64) -> String {
        let rows = if left == 1 { "1 row is".into() } else { format!("{} rows are", grouped(left)) };
        match &self.holder {
            Some(holder) => {
                let who = [holder.user.as_str(), holder.application.as_str()];
                let who: Vec<_> = who.into_iter().filter(|part| !part.is_empty()).collect();
                let age = holder.age_seconds.max(0.0).round();
                format!(
                    "{rows} locked by pid {} ({}), {} for {age}s",
                    holder.pid,
                    who.join(", "),
                    holder.state
                )
            }
            None => format!("{rows} locked by other transactions"),
        }
    }

    /// All notes whose rows are free. How many are left, and how many were settled.
    async fn free(&self, session: &mut Session) -> Result<Result<(u64, u64), Swept>, Error> {
        let (mut last, mut settled, mut left) = (0, 0, 0);
        loop {
            let ids = self.notes(session, last, self.rows.clamp(1, NOTES)).await?;
            let Some(greatest) = ids.last().copied() else { return Ok(Ok((left, settled))) };
            let noted = ids.len() as u64;
            let started = Instant::now();
            match self.closely(session, ids).await? {
                Visited::Settled(now) => (settled, left) = (settled + now, left + noted.saturating_sub(now)),
                Visited::Lost => return Ok(Err(Swept::Lost)),
                Visited::Beyond(ended) => return Ok(Err(Swept::Beyond(ended))),
            }
            last = greatest;
            if !self.is_held() {
                let now = self.live.now();
                let sleep = pace::sleep(&now.settings, now.pressure.duty, started.elapsed(), noted);
                self.live.rest(sleep, self.stop).await;
            }
            self.live.asked(control::read(session, self.ledger, self.claim.backfill).await?);
            if self.is_held() {
                return Ok(Err(Swept::Asked));
            }
            if self.stop.is_cancelled() {
                // The rest counts as left.
                left += self.notes(session, last, i64::MAX).await?.len() as u64;
                return Ok(Ok((left, settled)));
            }
        }
    }

    async fn notes(&self, session: &mut Session, behind: i64, limit: i64) -> Result<Vec<i64>, Error> {
        let ledger = sql::identifier(self.ledger);
        let rows = query(&format!(
            "SELECT id FROM {ledger}.backfill_skipped WHERE unit_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        ))
        .bind(self.claim.unit)
        .bind(behind)
        .bind(limit)
        .fetch_all(session.connection())
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// One transaction: the rows of some notes, and the notes. `None`: the lease is no longer ours.
    pub(crate) async fn visit(
        &self,
        session: &mut Session,
        ids: Vec<i64>,
        text: &str,
        lock_timeout: Duration,
    ) -> Result<Option<u64>, Error> {
        let opening = fence::opening(session, self.settings, lock_timeout);
        session.run(&opening).await?;
        if !fence::lock(session, self.claim, self.ledger).await? {
            session.run("ROLLBACK").await?;
            return Ok(None);
        }
        let row = query(text)
            .bind(ids)
            .bind(self.claim.range)
            .bind(self.claim.token)
            .bind(self.settings.lease.as_secs_f64())
            .fetch_one(session.connection())
            .await?;
        let settled: i64 = row.try_get(0)?;
        session.run("COMMIT").await?;
        Ok(Some(settled.unsigned_abs()))
    }

    /// Waits for the first noted row, for a short time: a single row, so that nothing else is held meanwhile.
    async fn wait(
        &mut self,
        session: &mut Session,
        monitor: &mut Session,
        look: bool,
    ) -> Result<bool, Error> {
        let Some(id) = self.notes(session, 0, 1).await?.first().copied() else { return Ok(true) };
        let pid = session.pid();
        let seen = async {
            if !look {
                return None;
            }
            tokio::time::sleep(ATTEMPT / 3).await;
            holders::of(monitor, pid).await.ok().and_then(|blockers| blockers.into_iter().next())
        };
        let (visited, holder) = tokio::join!(self.visit(session, vec![id], &self.texts.wait, ATTEMPT), seen);
        self.holder = holder.or(self.holder.take());
        Ok(visited?.is_some())
    }
}
