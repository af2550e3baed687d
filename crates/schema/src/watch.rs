//! Who stands in the way of a session that waits for a lock, and who stands behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgres::holders::{self, Blocker};
use postgres::{Clerk, Error, Row, RunLock, Session, query};
use tokio::task::JoinHandle;

use crate::event::BlockedBy;
use crate::run::Settings;

/// Between glances at whether the session waits for a lock at all. None before the first: most migrations are done by then.
const GLANCE: Duration = Duration::from_millis(100);
/// Between looks at one wait, by whom and with whom behind: `pg_blocking_pids` takes the lock manager exclusively.
const LOOK: Duration = Duration::from_secs(1);
/// How much waiting of others one attempt may cause: sessions behind us times seconds.
const DAMAGE: f64 = 10.0;

/// Watches one backend from a session of its own until it is dropped.
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What was seen in an attempt.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Who stood in the way when last looked at.
    pub(crate) blockers: Vec<Blocker>,
    /// Whose sessions were ended for standing idle in the way.
    pub(crate) ended: Vec<Blocker>,
    /// The attempt's wait was cancelled, because it cost others too much.
    gave_way: bool,
}

impl Seen {
    /// Nothing but autovacuum workers that give way to whoever waits longer than deadlock_timeout.
    pub(crate) fn only_autovacuum(&self) -> bool {
        !self.blockers.is_empty()
            && self.blockers.iter().all(|blocker| blocker.autovacuum && !blocker.wraparound)
    }

    /// For events and errors.
    pub(crate) fn blocked_by(&self) -> Vec<BlockedBy> {
        self.blockers.iter().map(BlockedBy::from).collect()
    }
}

impl Watch {
    /// Starts to watch. What cannot be seen (no session to be had) is not reported; the migration does not fail for it.
    pub(crate) fn start(lock: &RunLock, pid: i32, settings: &Settings) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        // Each wait is seen before it ends, also one that begins late in a long file.
        let glance = GLANCE.min(settings.lock_timeout / 4).max(Duration::from_millis(10));
        let looker =
            Looker { pid, seen: seen.clone(), kill_after: settings.kill_blockers, glance, damage: 0.0 };
        let (target, shared) = (lock.target().clone(), lock.shared());
        let task = tokio::spawn(async move {
            tokio::time::sleep(glance).await;
            let eyes = match shared {
                Some(shared) => Ok(shared),
                None => target.connect("watch").await.map(Clerk::new),
            };
            if let Ok(eyes) = eyes {
                // What ends the watch is the session's end or the attempt's.
                let _ = looker.look_on(eyes).await;
            }
        });
        Self { seen, task }
    }

    /// Whether it was we who cancelled the attempt's wait.
    pub(crate) fn gave_way(&self) -> bool {
        seen(&self.seen).gave_way
    }

    /// What was seen, at the end of the attempt.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *seen(&self.seen))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Looker {
    pid: i32,
    seen: Arc<Mutex<Seen>>,
    kill_after: Option<Duration>,
    glance: Duration,
    damage: f64,
}

impl Looker {
    async fn look_on(mut self, eyes: Clerk) -> Result<(), Error> {
        // When this wait was last looked at.
        let mut looked: Option<Instant> = None;
        loop {
            let mut session = eyes.session().await;
            if !waits(&mut session, self.pid).await? {
                looked = None;
            } else if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                let since = looked.map_or(self.glance, |at| at.elapsed());
                looked = Some(Instant::now());
                self.look(&mut session, since).await?;
            }
            drop(session);
            tokio::time::sleep(self.glance).await;
        }
    }

    /// Looks at a wait that has been going on for `since` without being looked at.
    async fn look(&mut self, session: &mut Session, since: Duration) -> Result<(), Error> {
        let blockers = holders::of(session, self.pid).await?;
        if blockers.is_empty() {
            return Ok(());
        }
        self.end_idlers(session, &blockers).await?;
        self.damage += behind(session, self.pid).await? * since.as_secs_f64();
        seen(&self.seen).blockers = blockers;
        if self.damage > DAMAGE {
            self.give_way(session).await?;
        }
        Ok(())
    }

    /// Ends our own wait, never our work: only while the session does wait for a lock.
    async fn give_way(&mut self, session: &mut Session) -> Result<(), Error> {
        seen(&self.seen).gave_way = true;
        self.damage = 0.0;
        let cancel = "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE pid = $1 AND state = 'active' AND wait_event_type = 'Lock'";
        query(cancel).bind(self.pid).execute(session.connection()).await?;
        Ok(())
    }

    /// Ends sessions that hold us up while they do nothing, where the pipeline allows it. The backend's start is compared:
    /// the number may belong to somebody else by now.
    async fn end_idlers(&self, session: &mut Session, blockers: &[Blocker]) -> Result<(), Error> {
        let Some(limit) = self.kill_after else { return Ok(()) };
        for blocker in blockers.iter().filter(|blocker| blocker.idle_for.is_some_and(|idle| idle >= limit)) {
            let end = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                 WHERE pid = $1 AND backend_start = $2::pg_catalog.timestamptz AND state LIKE 'idle in transaction%'";
            let ended = query(end).bind(blocker.pid).bind(&blocker.backend_start);
            // Noted first: the attempt may be through before we hear that the blocker is gone.
            seen(&self.seen).ended.push(blocker.clone());
            // Without the right to (pg_signal_backend), it stays a blocker.
            if ended.fetch_optional(session.connection()).await.ok().flatten().is_none() {
                seen(&self.seen).ended.retain(|ended| ended.pid != blocker.pid);
            }
        }
        Ok(())
    }
}

/// Whether the session waits for a lock: cheap to ask, since it takes none itself.
async fn waits(session: &mut Session, pid: i32) -> Result<bool, Error> {
    let text = "SELECT coalesce(pg_catalog.bool_or(wait_event_type = 'Lock'), false) FROM pg_catalog.pg_stat_get_activity($1)";
    Ok(query(text).bind(pid).fetch_one(session.connection()).await?.try_get(0)?)
}

/// How many sessions wait for a relation that this one has locked or waits for.
async fn behind(session: &mut Session, pid: i32) -> Result<f64, Error> {
    let text = "SELECT pg_catalog.count(DISTINCT waiter.pid)::float8 FROM pg_catalog.pg_locks waiter \
         JOIN pg_catalog.pg_locks ours ON ours.pid = $1 AND ours.locktype = 'relation' \
           AND ours.relation = waiter.relation AND ours.database = waiter.database \
         WHERE waiter.locktype = 'relation' AND NOT waiter.granted AND waiter.pid <> $1";
    Ok(query(text).bind(pid).fetch_one(session.connection()).await?.try_get(0)?)
}

fn seen(shared: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
