//! One attempt at one migration: one transaction, the history row first.

use std::time::{Duration, Instant};

use postgres::{Class, Error, LockKey, Row, RunLock, ScriptError, Session, cancel_on, query};
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::migration::Migration;
use crate::refusal::refusal;

/// What an attempt needs to know.
pub(crate) struct Attempt<'a> {
    pub(crate) lock: &'a RunLock,
    pub(crate) ledger: &'a str,
    pub(crate) deployment: i64,
    pub(crate) lock_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) stop: &'a CancellationToken,
    /// Attempts before this one, and the time they took: part of the record.
    pub(crate) retries: u32,
    pub(crate) waited: Duration,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// It is in the database.
    Committed(Duration),
    /// Others held what it needed (55P03, 40P01, 40001); it was rolled back whole.
    GaveWay(ScriptError),
}

impl Attempt<'_> {
    /// Applies the file, or leaves nothing of it behind.
    pub(crate) async fn run(&self, session: &mut Session, migration: &Migration) -> Result<Ended, Failure> {
        let started = Instant::now();
        let xid = match self.body(session, migration, started).await {
            Ok(xid) => xid,
            Err(stopped) => {
                // If this fails, the connection is gone, and the server rolls back by itself.
                let _ = session.run("ROLLBACK").await;
                return match stopped {
                    Stopped::Script(failed) if failed.error.class() == Class::Contention => {
                        Ok(Ended::GaveWay(failed))
                    }
                    Stopped::Script(failed) => Err(refusal("E108", &migration.source, failed)),
                    Stopped::For(failure) => Err(failure),
                };
            }
        };
        match session.run("COMMIT").await {
            Ok(_) => {}
            Err(error) if error.is_lost_connection() => {
                *session = self.lock.session("schema").await?;
                if !committed(session, &xid).await? {
                    return Err(error.into());
                }
            }
            Err(error) if error.class() == Class::Contention => return Ok(Ended::GaveWay(error.into())),
            // Deferred constraints are checked here.
            Err(error) => return Err(refusal("E108", &migration.source, error.into())),
        }
        session.reset().await?;
        Ok(Ended::Committed(started.elapsed()))
    }

    /// Everything up to the COMMIT; returns the transaction's id.
    async fn body(
        &self,
        session: &mut Session,
        migration: &Migration,
        started: Instant,
    ) -> Result<String, Stopped> {
        session.run(&self.opening()).await?;
        let xid = self.fence(session).await?;
        self.record(session, migration, &xid).await?;
        let canceller = session.canceller();
        cancel_on(self.stop, &canceller, session.script(&migration.source.text)).await.map_err(|failed| {
            let ours = self.stop.is_cancelled() && failed.error.class() == Class::Cancelled;
            if ours { Stopped::For(Failure::Interrupted) } else { Stopped::Script(failed) }
        })?;
        let now: Option<String> = session
            .one("SELECT pg_catalog.pg_current_xact_id_if_assigned()::text")
            .await?
            .try_get(0)
            .map_err(Error::from)?;
        if now.as_ref() != Some(&xid) {
            let problem = Problem::with_file("E109", &migration.source.path, "ended the transaction it was run in")
                .help("what stood before the COMMIT is in the database without a record: compare by hand before the next deploy");
            return Err(Stopped::For(Failure::EndedTransaction(problem)));
        }
        self.complete(session, migration, started.elapsed()).await?;
        Ok(xid)
    }

    fn opening(&self) -> String {
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}",
            self.lock_timeout.as_millis(),
            self.statement_timeout.as_millis()
        )
    }

    /// Nobody else is at work: no orphan of a killed runner holds the execute lock, and the run lock is still ours.
    async fn fence(&self, session: &mut Session) -> Result<String, Failure> {
        let row = query(
            "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2), \
               EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid = $3 \
                 AND classid::int8 = $4 & 4294967295 AND objid::int8 = $5), \
               (SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 \
                 AND classid::int8 = $4 & 4294967295 AND objid::int8 = $2 AND pid <> pg_catalog.pg_backend_pid() LIMIT 1), \
               pg_catalog.pg_current_xact_id()::text",
        )
        .bind(self.lock.key().0)
        .bind(LockKey::EXECUTE)
        .bind(self.lock.pid())
        .bind(i64::from(self.lock.key().0))
        .bind(i64::from(LockKey::RUN))
        .fetch_one(session.connection())
        .await
        .map_err(Error::from)?;
        if !row.try_get::<bool, _>(1).map_err(Error::from)? {
            return Err(Failure::LockLost);
        }
        if !row.try_get::<bool, _>(0).map_err(Error::from)? {
            return Err(Failure::Orphan {
                pid: row.try_get::<Option<i32>, _>(2).map_err(Error::from)?.unwrap_or(0),
            });
        }
        Ok(row.try_get(3).map_err(Error::from)?)
    }

    /// First of all, so that a second runner would block here and then get a clean primary-key error.
    async fn record(&self, session: &mut Session, migration: &Migration, xid: &str) -> Result<(), Error> {
        let text = format!(
            "INSERT INTO {}.migrations (version, name, checksum, raw_checksum, token_checksum, deployment, xid, retries, waited_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            sql::identifier(self.ledger)
        );
        query(&text)
            .bind(migration.version.cast_signed())
            .bind(&migration.name)
            .bind(&migration.source.sha256)
            .bind(&migration.source.raw_sha256)
            .bind(migration.source.token_sha256())
            .bind(self.deployment)
            .bind(xid)
            .bind(self.retries.cast_signed())
            .bind(i64::try_from(self.waited.as_millis()).unwrap_or(i64::MAX))
            .execute(session.connection())
            .await?;
        Ok(())
    }

    async fn complete(
        &self,
        session: &mut Session,
        migration: &Migration,
        took: Duration,
    ) -> Result<(), Stopped> {
        // The file may have changed the role: the record is written as who we are.
        session.run("RESET SESSION AUTHORIZATION; RESET ROLE").await?;
        let text = format!(
            "UPDATE {}.migrations SET applied_at = pg_catalog.clock_timestamp(), duration_ms = $2 WHERE version = $1 \
             AND EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid = $3 \
               AND classid::int8 = $4 & 4294967295 AND objid::int8 = $5)",
            sql::identifier(self.ledger)
        );
        let completed = query(&text)
            .bind(migration.version.cast_signed())
            .bind(i64::try_from(took.as_millis()).unwrap_or(i64::MAX))
            .bind(self.lock.pid())
            .bind(i64::from(self.lock.key().0))
            .bind(i64::from(LockKey::RUN))
            .execute(session.connection())
            .await
            .map_err(Error::from)?;
        // A process that was frozen while its lock was taken away: the file is rolled back.
        if completed.rows_affected() == 0 {
            return Err(Stopped::For(Failure::LockLost));
        }
        Ok(())
    }
}

/// Why the body of an attempt did not come to its end.
enum Stopped {
    /// The file's own text failed.
    Script(ScriptError),
    /// Anything else.
    For(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::For(failure)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        // Our own statements wait for locks too: for the history row of another runner.
        Stopped::Script(error.into())
    }
}

/// Whether a transaction whose COMMIT was not answered is in (`pg_xact_status`, section 9.27.6).
async fn committed(session: &mut Session, xid: &str) -> Result<bool, Error> {
    loop {
        let row = query("SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)")
            .bind(xid)
            .fetch_one(session.connection())
            .await?;
        match row.try_get::<Option<String>, _>(0)?.as_deref() {
            Some("committed") => return Ok(true),
            Some("in progress") => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Ok(false),
        }
    }
}
