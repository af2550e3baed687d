//! One attempt: one transaction that runs a text of the user's between two records of ours.

use std::time::{Duration, Instant};

use postgres::{Error, Notices, Row, RunLock, Session, cancel_on};
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::closing::{self, Closed};
use crate::failure::Failure;
use crate::fence::Fence;
use crate::look::Look;
use crate::outcome;
use crate::refusal::Text;
use crate::run::Settings;
use crate::stopped::{Ended, Stopped};
use crate::watch::Watch;

/// After how long a transaction is ended whose client has fallen silent in the middle of it: a frozen runner must not
/// hold its locks for ever.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);

/// What is written around the text, in the same transaction.
pub(crate) struct Records {
    /// Returns the transaction's id in a row; none, or NULL, where the fence is shut.
    pub(crate) enter: String,
    /// Returns a row that is true if the text is in already, or may be: asked behind the fence, so that nobody changes it.
    pub(crate) known: Option<String>,
    /// A statement without RETURNING that writes that it is done, at least one row. `{same}` stands for the condition that
    /// all is as it was, `{took}` for the milliseconds since the transaction began.
    pub(crate) leave: String,
    /// Returns a row once it is in. `{xid}` stands for the transaction.
    pub(crate) done: String,
    /// Returns a row if the text is in already: asked where there is a record of somebody else's.
    pub(crate) found: Option<String>,
}

/// What an attempt needs to know.
pub(crate) struct Attempt<'a> {
    pub(crate) lock: &'a RunLock,
    pub(crate) settings: &'a Settings,
    /// How long it queues for a lock.
    pub(crate) lock_timeout: Duration,
    /// What is glanced at before the text is sent.
    pub(crate) look: Option<&'a Look<'a>>,
    /// Whether its COMMIT waits for the disk, and for the replicas that it should.
    pub(crate) durable: bool,
    /// What is set before the text.
    pub(crate) prologue: Option<&'a str>,
    /// Whether the session is as new after it; else its settings are as the text has left them.
    pub(crate) reset: bool,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) watch: &'a Watch,
    pub(crate) notices: &'a Notices,
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
        let stopped = match self.open(session, records).await {
            Ok(xid) => match self.body(session, &xid, text, records).await? {
                None => return Ok(Ended::Committed(started.elapsed())),
                Some(stopped) => stopped,
            },
            Err(stopped) => stopped,
        };
        // If this fails, the connection is gone, and the server rolls back by itself.
        let _ = session.run("ROLLBACK").await;
        match self.was_in(session, &stopped, records).await? {
            true => Ok(Ended::Committed(Duration::ZERO)),
            false => stopped.means(self, text, started.elapsed()),
        }
    }

    /// The transaction, whose id is returned, and a glance at who is there before anything waits for a lock.
    async fn open(&self, session: &mut Session, records: &Records) -> Result<String, Stopped> {
        let mut rows = session.answers(&self.opening(session, records)).await?.into_iter();
        let others = rows.next().map(|row| row.try_get(0)).transpose().map_err(Error::from)?;
        let entered = rows.next().map(|row| row.try_get(0)).transpose().map_err(Error::from)?;
        let Some(xid) = entered.flatten() else {
            return Err(Stopped::For(Fence::of(self.lock).why(session).await?));
        };
        // What enters may be more than one row.
        let known = records.known.as_ref().and_then(|_| rows.next_back());
        let known: Option<bool> = known.map(|row| row.try_get(0)).transpose().map_err(Error::from)?;
        match (known, others) {
            (Some(true), _) => Err(Stopped::MetARecord),
            (_, Some(true)) => Err(Stopped::SawOthers),
            _ => Ok(xid),
        }
    }

    /// The text and everything from its end on in one call; `None` if it is in.
    async fn body(
        &self,
        session: &mut Session,
        xid: &str,
        text: &Text<'_>,
        records: &Records,
    ) -> Result<Option<Stopped>, Failure> {
        let closing = closing::statements(session, self.lock, xid, &records.leave, self.reset);
        // The line break ends a comment, the semicolon a statement.
        let all = format!("{}\n; {closing}", text.sql());
        let canceller = session.canceller();
        // Triggers of deferred constraints speak, too.
        let answer = cancel_on(self.stop, &canceller, self.notices.of(session.script(&all))).await;
        Ok(match Closed::of(answer, text.statements) {
            Closed::Committed => None,
            // What cannot be brought back to its defaults is replaced; where that fails too, the next use tells.
            Closed::NotReset => {
                if let Ok(fresh) = self.lock.session("schema").await {
                    *session = fresh;
                }
                None
            }
            Closed::Text(failed) => Some(Stopped::Text(failed)),
            Closed::Refused(failed) => Some(failed.error.into()),
            Closed::NothingRecorded => Some(Stopped::For(self.why_nothing(session, text, xid).await?)),
            Closed::Unknown(failed) => {
                let record = records.done.replace("{xid}", &sql::literal(xid));
                match outcome::of(self.lock, xid, &record, self.stop).await {
                    Some((fresh, committed)) => {
                        *session = fresh;
                        if !committed {
                            return Err(failed.error.into());
                        }
                        None
                    }
                    None => return Err(failed.error.into()),
                }
            }
        })
    }

    fn opening(&self, session: &Session, records: &Records) -> String {
        // From version 14 on, the server ends a statement whose client has died.
        let check = if session.can_check_client() {
            "SET LOCAL client_connection_check_interval = 1000; "
        } else {
            ""
        };
        let commit = if self.durable { "" } else { "SET LOCAL synchronous_commit = off; " };
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {check}{commit}SET LOCAL lock_timeout = {}; \
             SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; \
             {}; {}; {}; {}",
            self.lock_timeout.as_millis(),
            self.settings.statement_timeout.as_millis(),
            IDLE_IN_TRANSACTION.as_millis(),
            self.look.map_or("SELECT false".to_owned(), Look::glance),
            records.enter,
            records.known.as_deref().unwrap_or_default(),
            self.prologue.unwrap_or_default(),
        )
    }

    /// Nothing was recorded at the end: the text ended our transaction, or we are not the deployer any more.
    async fn why_nothing(&self, session: &mut Session, text: &Text<'_>, xid: &str) -> Result<Failure, Error> {
        // Whatever the text has begun since.
        session.run("ROLLBACK").await?;
        let asked = format!(
            "SELECT pg_catalog.pg_xact_status({}::pg_catalog.xid8) IS NOT DISTINCT FROM 'committed', {}",
            sql::literal(xid),
            self.lock.is_ours()
        );
        let row = session.one(&asked).await?;
        if !row.try_get::<bool, _>(0)? && !row.try_get::<bool, _>(1)? {
            return Ok(Failure::LockLost);
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
        match &records.found {
            Some(found) if matches!(stopped, Stopped::MetARecord) => {
                Ok(session.answer(found).await?.is_some())
            }
            _ => Ok(false),
        }
    }
}
