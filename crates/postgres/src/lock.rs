//! The run lock: one deploy of a pipeline at a time, held by an open transaction.
//!
//! A READ COMMITTED transaction that holds `pg_try_advisory_xact_lock` and runs nothing keeps neither snapshot nor xid:
//! it does not hold up CREATE INDEX CONCURRENTLY, and it is gone with its process. It is polled and never waited for:
//! a waiter in `pg_advisory_lock()` has a snapshot, and a concurrent index build waits for that snapshot.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use sqlx::Row;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::clerk::Clerk;
use crate::error::Error;
use crate::query::query;
use crate::session::Session;
use crate::target::Target;

/// How often the lock's session shows that it is alive, and learns that it is not.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A machine that is gone without a word (no power, no network) does not keep the lock for the two hours that TCP would
/// take by itself, but for half a minute (section 20.3.2 of the manual). Over a socket of this machine it means nothing.
const KEEPALIVE: &str = "SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 4";

/// The first half of the advisory lock's key: the pipeline, as one ledger schema knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockKey(pub i32);

impl LockKey {
    /// The second half of the key of the run lock.
    pub const RUN: i32 = 1;
    /// The second half of the key held by a transaction that applies a migration. It outlives a killed runner for as
    /// long as its last statement does.
    pub const EXECUTE: i32 = 2;

    /// The first four bytes of the SHA-256 of both names.
    pub fn of(ledger_schema: &str, pipeline: &str) -> Self {
        let digest = Sha256::digest(format!("{ledger_schema}/{pipeline}"));
        Self(i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }

    /// SQL that is true while somebody holds the run lock in the current database; any role may ask.
    pub fn is_held(self) -> String {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 \
               AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
               AND classid::int8 = ({})::int8 & 4294967295 AND objid::int8 = {})",
            self.0,
            Self::RUN
        )
    }
}

/// Who holds the lock that we wanted.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its backend.
    pub pid: i32,
    /// Its application name, such as `pgdeploy/lock`.
    pub application: String,
    /// The address it comes from; `local` for a Unix socket.
    pub host: String,
    /// How long its transaction has been open.
    pub age: Duration,
}

/// Why the lock was not obtained.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another deploy holds the lock{}", .0.as_ref().map(|holder| format!(": pid {} ({}) from {}, for {}s", holder.pid, holder.application, holder.host, holder.age.as_secs())).unwrap_or_default())]
    Held(Option<Holder>),
    /// Asking failed.
    #[error(transparent)]
    Session(#[from] Error),
}

/// Proof that we are the only deployer. Sessions that write come from here.
pub struct RunLock {
    target: Target,
    key: LockKey,
    mark: i64,
    pid: i32,
    lost: CancellationToken,
    release: oneshot::Sender<()>,
    beating: JoinHandle<()>,
    /// One that nobody uses now; see [`Self::lend`].
    spare: Mutex<Option<Session>>,
    /// One that keeps the ledger, for who else has something to ask now and then.
    clerk: Mutex<Option<Clerk>>,
}

impl RunLock {
    /// Polls for the lock until `patience` is over; `waiting` is told once who holds it.
    pub async fn acquire(
        target: &Target,
        key: LockKey,
        patience: Duration,
        waiting: impl FnMut(&Holder),
    ) -> Result<Self, LockError> {
        Self::acquire_in(target.connect("lock").await?, key, patience, waiting).await
    }

    /// The same in a session that is there already.
    pub async fn acquire_in(
        mut session: Session,
        key: LockKey,
        patience: Duration,
        mut waiting: impl FnMut(&Holder),
    ) -> Result<Self, LockError> {
        let target = session.target().clone();
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut told = false;
        let mark = fastrand::i64(1..);
        while !try_acquire(&mut session, key, mark).await? {
            let holder = holder(&mut session, key).await?;
            let wait = backoff.next_wait();
            if started.elapsed() + wait > patience {
                return Err(LockError::Held(holder));
            }
            if let (Some(holder), false) = (&holder, told) {
                waiting(holder);
                told = true;
            }
            tokio::time::sleep(wait).await;
        }
        let pid = session.pid();
        let lost = CancellationToken::new();
        let (release, released) = oneshot::channel();
        let beating = tokio::spawn(beat(session, lost.clone(), released));
        Ok(Self {
            target,
            key,
            mark,
            pid,
            lost,
            release,
            beating,
            spare: Mutex::default(),
            clerk: Mutex::default(),
        })
    }

    /// A session that may write.
    pub async fn session(&self, role: &str) -> Result<Session, Error> {
        if let Some(mut spare) = self.take_back()
            && spare.renew(role).await.is_ok()
        {
            return Ok(spare);
        }
        self.target.connect(role).await
    }

    /// Gives a session to whoever asks for one next: where connections are scarce, two that take turns are one.
    pub fn lend(&self, session: Session) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Ends a session; where connections are scarce it is kept for whoever asks for one next.
    pub async fn done_with(&self, session: Session) {
        match self.shared() {
            Some(_) => self.lend(session),
            None => session.close().await,
        }
    }

    /// Lets others use the session that keeps the ledger.
    pub fn share(&self, clerk: Clerk) {
        *self.clerk.lock().unwrap_or_else(PoisonError::into_inner) = Some(clerk);
    }

    /// The session that keeps the ledger, where it is shared.
    pub fn shared(&self) -> Option<Clerk> {
        self.clerk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was lent, if nobody has asked for it.
    pub fn take_back(&self) -> Option<Session> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The database the lock is on.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The key that is held.
    pub fn key(&self) -> LockKey {
        self.key
    }

    /// The backend that holds it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// SQL that is true while it is held, by us and by nobody else: for a transaction that wants to see so with its own
    /// eyes. The lock's transaction holds a second advisory lock, on a number that only this process knows; whoever
    /// gets that one, finds the first gone too. That costs a tenth of looking into `pg_locks`.
    pub fn is_ours(&self) -> String {
        format!("NOT pg_catalog.pg_try_advisory_xact_lock_shared({})", self.mark)
    }

    /// Fires when the lock's session has died: whatever is under way must stop.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// A token that fires with `stop`, or when the lock is lost.
    pub fn stop_or_lost(&self, stop: &CancellationToken) -> CancellationToken {
        let (either, lost) = (stop.child_token(), self.lost());
        let fired = either.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = lost.cancelled() => fired.cancel(),
                () = fired.cancelled() => {}
            }
        });
        either
    }

    /// Gives the lock back. Dropping it has the same effect, a moment later.
    pub async fn release(self) {
        let clerk = self.clerk.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(clerk) = clerk {
            clerk.close().await;
        }
        if let Some(spare) = self.take_back() {
            spare.close().await;
        }
        let _ = self.release.send(());
        let _ = self.beating.await;
    }
}

/// One attempt. The transaction stays open exactly if it has the lock.
async fn try_acquire(session: &mut Session, key: LockKey, mark: i64) -> Result<bool, Error> {
    let limits = if session.version_number() >= 170_000 { "SET LOCAL transaction_timeout = 0;" } else { "" };
    let text = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; {limits} SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; {KEEPALIVE}; \
         SELECT 1 WHERE CASE WHEN pg_catalog.pg_try_advisory_xact_lock({}, {}) THEN pg_catalog.pg_try_advisory_xact_lock({mark}) END",
        key.0,
        LockKey::RUN
    );
    let acquired = session.answer(&text).await?.is_some();
    if !acquired {
        session.run("ROLLBACK").await?;
    }
    Ok(acquired)
}

async fn holder(session: &mut Session, key: LockKey) -> Result<Option<Holder>, Error> {
    let row = query(
        "SELECT l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local'), \
                coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)::float8 \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid::int8 = $1 & 4294967295 AND l.objid::int8 = $2 \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
    )
    .bind(i64::from(key.0))
    .bind(i64::from(LockKey::RUN))
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Holder {
        pid: row.try_get(0)?,
        application: row.try_get(1)?,
        host: row.try_get(2)?,
        age: Duration::from_secs_f64(row.try_get::<f64, _>(3)?.max(0.0)),
    }))
}

/// Keeps the lock's session, until it is released or dies.
async fn beat(mut session: Session, lost: CancellationToken, mut released: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut released => break,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        match tokio::time::timeout(HEARTBEAT * 3, session.run("SELECT 1")).await {
            Ok(Ok(_)) => {}
            _ => {
                lost.cancel();
                return;
            }
        }
    }
    let _ = session.run("ROLLBACK").await;
    session.close().await;
}
