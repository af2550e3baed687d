//! One attempt: one transaction that runs a text of the user's between two records of ours.

use std::time::{Duration, Instant};

use postgres::{Class, Error, Notices, Row, RunLock, ScriptError, Session, cancel_on};
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::closing::{Closed, close};
use crate::failure::Failure;
use crate::fence::Fence;
use crate::outcome;
use crate::refusal::{Text, cancelled, refusal};
use crate::run::Settings;
use crate::watch::Watch;

/// After how long a transaction is ended whose client has fallen silent in the middle of it: a frozen runner must not
/// hold its locks for ever.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);

/// What is written around the text, in the same transaction.
pub(crate) struct Records {
    /// Returns the transaction's id in a row, or no row where the fence is shut. First of all, so that a second runner
    /// blocks here and then gets a clean primary-key error.
    pub(crate) enter: String,
    /// An UPDATE without RETURNING that writes that it is done, to at least one row. `{same}` stands for the condition
    /// that all is as it was, `{took}` for the milliseconds since the beginning.
    pub(crate) leave: String,
    /// Returns a row if the text is in already: asked where `enter` met a record of somebody else's.
    pub(crate) found: Option<String>,
    /// Takes back what `enter` has written, where the text has committed that by itself.
    pub(crate) forget: Option<String>,
}

/// What an attempt needs to know.
pub(crate) struct Attempt<'a> {
    pub(crate) lock: &'a RunLock,
    pub(crate) settings: &'a Settings,
    /// How long it queues for a lock.
    pub(crate) lock_timeout: Duration,
    /// What is set before the text.
    pub(crate) prologue: Option<&'a str>,
    /// Whether the session is as new after it; else its settings are as the text has left them.
    pub(crate) reset: bool,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) watch: &'a Watch,
    pub(crate) notices: &'a Notices,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// It is in the database.
    Committed(Duration),
    /// Others held what it needed (55P03, 40P01, 40001), or too many stood behind it; it was rolled back whole.
    GaveWay(ScriptError),
}

impl Attempt<'_> {
    /// Runs the text, or leaves nothing of it behind.
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        text: &Text<'_>,
        records: &Records,
    ) -> Result<Ended, Failure> {
        let started = Instant::now();
        let stopped = match self.body(session, text, records).await {
            Ok(xid) => match self.close(session, &xid, text, records, started).await? {
                None => return Ok(Ended::Committed(started.elapsed())),
                Some(stopped) => stopped,
            },
            Err(stopped) => stopped,
        };
        // If this fails, the connection is gone, and the server rolls back by itself.
        let _ = session.run("ROLLBACK").await;
        match self.was_in(session, &stopped, records).await? {
            true => Ok(Ended::Committed(Duration::ZERO)),
            false => self.ended(stopped, text, started),
        }
    }

    /// The text in its transaction; returns the transaction's id.
    async fn body(
        &self,
        session: &mut Session,
        text: &Text<'_>,
        records: &Records,
    ) -> Result<String, Stopped> {
        let Some(entered) = session.answer(&self.opening(session, records)).await? else {
            return Err(Stopped::For(Fence::of(self.lock).why(session).await?));
        };
        let canceller = session.canceller();
        let work = self.notices.of(session.script(text.sql()));
        cancel_on(self.stop, &canceller, work).await.map_err(Stopped::Text)?;
        Ok(entered.try_get(0).map_err(Error::from)?)
    }

    /// Everything from the text's end on; `None` if it is in.
    async fn close(
        &self,
        session: &mut Session,
        xid: &str,
        text: &Text<'_>,
        records: &Records,
        started: Instant,
    ) -> Result<Option<Stopped>, Failure> {
        let fence = Fence::of(self.lock);
        let leave = records.leave.replace("{took}", &started.elapsed().as_millis().to_string());
        Ok(match close(session, &fence, xid, &leave, self.reset, self.notices).await {
            Closed::Committed => None,
            // What cannot be brought back to its defaults is replaced; where that fails too, the next use tells.
            Closed::NotReset => {
                if let Ok(fresh) = self.lock.session("schema").await {
                    *session = fresh;
                }
                None
            }
            Closed::Deferred(failed) => Some(Stopped::Text(failed.error.into())),
            Closed::Refused(failed) => Some(Stopped::Ours(failed.error)),
            Closed::NothingRecorded => {
                Some(Stopped::For(self.why_nothing(session, text, xid, records).await?))
            }
            Closed::Unknown(failed) => match outcome::of(self.lock, xid, self.stop).await {
                Some((fresh, committed)) => {
                    *session = fresh;
                    if !committed {
                        return Err(failed.error.into());
                    }
                    None
                }
                None => return Err(failed.error.into()),
            },
        })
    }

    fn opening(&self, session: &Session, records: &Records) -> String {
        // From version 14 on, the server ends a statement whose client has died.
        let check = if session.can_check_client() {
            "SET LOCAL client_connection_check_interval = 1000; "
        } else {
            ""
        };
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {check}SET LOCAL lock_timeout = {}; \
             SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; {}; {}",
            self.lock_timeout.as_millis(),
            self.settings.statement_timeout.as_millis(),
            IDLE_IN_TRANSACTION.as_millis(),
            records.enter,
            self.prologue.unwrap_or_default(),
        )
    }

    /// Nothing was recorded at the end: the text ended our transaction, or we are not the deployer any more.
    async fn why_nothing(
        &self,
        session: &mut Session,
        text: &Text<'_>,
        xid: &str,
        records: &Records,
    ) -> Result<Failure, Error> {
        // Whatever the text has begun since.
        session.run("ROLLBACK").await?;
        let asked = format!(
            "SELECT pg_catalog.pg_xact_status({}::pg_catalog.xid8) IS NOT DISTINCT FROM 'committed', {}",
            sql::literal(xid),
            Fence::of(self.lock).lock_is_ours()
        );
        let row = session.one(&asked).await?;
        if !row.try_get::<bool, _>(0)? && !row.try_get::<bool, _>(1)? {
            return Ok(Failure::LockLost);
        }
        if let Some(forget) = &records.forget {
            session.run(&forget.replace("{xid}", &sql::literal(xid))).await?;
        }
        let problem = Problem::with_file("E109", &text.source.path, "ended the transaction it was run in").help(
            "what stood before the COMMIT is in the database without a record: compare by hand before the next deploy",
        );
        Ok(Failure::EndedTransaction(problem))
    }

    /// Whether a transaction of a killed runner, whose COMMIT was under way when the history was read, has come in since.
    async fn was_in(
        &self,
        session: &mut Session,
        stopped: &Stopped,
        records: &Records,
    ) -> Result<bool, Error> {
        match (stopped, &records.found) {
            (Stopped::Ours(error), Some(found)) if error.sqlstate() == Some("23505") => {
                Ok(session.answer(found).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// What a rolled-back attempt means.
    fn ended(&self, stopped: Stopped, text: &Text<'_>, started: Instant) -> Result<Ended, Failure> {
        match stopped {
            Stopped::For(failure) => Err(failure),
            // Our own statements wait for locks too: for the history row of another runner.
            Stopped::Ours(error) if error.class() == Class::Contention => Ok(Ended::GaveWay(error.into())),
            Stopped::Ours(error) if error.sqlstate() == Some("23505") => Err(Failure::LockLost),
            Stopped::Ours(error) if error.class() == Class::Cancelled && self.watch.gave_way() => {
                Ok(Ended::GaveWay(error.into()))
            }
            Stopped::Ours(error) => Err(error.into()),
            Stopped::Text(failed) => match failed.error.class() {
                Class::Contention => Ok(Ended::GaveWay(failed)),
                Class::Cancelled if self.stop.is_cancelled() => Err(Failure::Interrupted),
                Class::Cancelled if self.watch.gave_way() => Ok(Ended::GaveWay(failed)),
                Class::Cancelled => {
                    Err(cancelled(text, &failed, started.elapsed(), self.settings.statement_timeout))
                }
                _ => Err(refusal("E108", text, failed)),
            },
        }
    }
}

/// Why the body of an attempt did not come to its end.
enum Stopped {
    /// The user's text failed.
    Text(ScriptError),
    /// A statement of our own failed.
    Ours(Error),
    /// Anything else.
    For(Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Ours(error)
    }
}
