//! Looking before queueing: whoever waits in a lock's queue holds up everybody behind it, and whoever only looks does not.

use std::time::{Duration, Instant};

use postgres::Session;
use postgres::holders::{self, Blocker};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// A transaction younger than this is one of the application's: it will be over before a lock is even asked for.
const OLD: Duration = Duration::from_secs(1);
/// Between two looks: reading `pg_locks` is cheap, but not free.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long it is only looked. Then an attempt queues all the same: where one long reader follows on another, only a
/// queue ends the chain.
const LONGEST: Duration = Duration::from_secs(5);

/// The tables that are looked at, by name as SQL.
pub(crate) struct Look<'a> {
    pub(crate) tables: &'a [String],
}

impl Look<'_> {
    /// SQL that is true where anybody is on the tables at all, which is cheap to ask.
    pub(crate) fn glance(&self) -> String {
        match self.tables.is_empty() {
            true => "false".to_owned(),
            false => holders::are_on(self.tables),
        }
    }

    /// Old transactions that hold locks on the tables. Those of autovacuum do not count: they give way.
    pub(crate) async fn obstacles(&self, session: &mut Session) -> Result<Vec<Blocker>, postgres::Error> {
        let holders = holders::on(session, self.tables).await?;
        let old = |blocker: &Blocker| blocker.age_seconds >= OLD.as_secs_f64() && !blocker.autovacuum;
        Ok(holders.into_iter().filter(old).collect())
    }

    /// Waits without queueing until the transactions of `blockers` are over: at least until `pause` is over, unless they
    /// end before; at most [`LONGEST`] or until `deadline`.
    pub(crate) async fn wait(
        session: &mut Session,
        blockers: &[Blocker],
        pause: Duration,
        deadline: Instant,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let watched = blockers.iter().any(|blocker| !blocker.transaction.is_empty());
        loop {
            let gone = watched && holders::are_gone(session, blockers).await?;
            let waited = started.elapsed();
            let enough = waited >= pause && (!watched || waited >= LONGEST || Instant::now() >= deadline);
            if gone || enough {
                return Ok(());
            }
            let next = if watched { INTERVAL } else { pause - waited };
            tokio::select! {
                () = stop.cancelled() => return Err(Failure::Interrupted),
                () = tokio::time::sleep(next) => {}
            }
        }
    }
}
