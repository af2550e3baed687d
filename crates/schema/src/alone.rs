//! A statement that the server refuses to run in a transaction. There is a moment in which it is sent and nobody knows:
//! then the record says so, and the next deploy asks the catalog. One that commits by itself and fails behind that stays
//! in doubt: it is run again by a person's word alone.

use std::time::{Duration, Instant};

use postgres::{Backoff, Class, Error, Notices, ScriptError, Session, Stage, cancel_on};
use sql::Source;

use crate::event::{Event, milliseconds};
use crate::failure::Failure;
use crate::patience::Tries;
use crate::probe::{Doubt, probe};
use crate::progress::{Row, pause};
use crate::refusal::{Text, cancelled, refusal};
use crate::run::Settings;
use crate::transactions::Transactions;

/// One such statement.
pub(crate) struct Alone<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) row: Row<'a>,
    /// For events.
    pub(crate) migration: &'a str,
    /// For advice.
    pub(crate) version: u64,
    /// From 0.
    pub(crate) nth: usize,
    pub(crate) text: &'a Text<'a>,
    /// What is set before it.
    pub(crate) surroundings: &'a str,
    /// Its wait for locks holds up nobody.
    pub(crate) gentle: bool,
    pub(crate) notices: &'a Notices,
}

/// The statement was sent, and the server said no.
struct Failed {
    error: Error,
    /// It was a single transaction, which is rolled back: nothing of it is in.
    undone: bool,
}

/// What a statement that failed has left in the database.
enum Left {
    Nothing,
    /// Something that the catalog knows.
    Known,
    /// It may have committed something, and the catalog does not tell what.
    Unknown,
}

impl Alone<'_> {
    /// The intent is written, then the act, then the result. `in_doubt` is for one that was sent before.
    pub(crate) async fn run(&self, session: &mut Session, mut in_doubt: bool) -> Result<Tries, Failure> {
        let started = Instant::now();
        let mut backoff = Backoff::full_jitter(Duration::from_millis(250), Duration::from_secs(15));
        let mut tries = Tries::default();
        loop {
            let began = Instant::now();
            let Failed { error, undone } = match self.once(session, in_doubt).await? {
                Ok(()) => return Ok(tries),
                Err(failed) => failed,
            };
            if error.server().is_none() || error.is_lost_connection() {
                return Err(error.into());
            }
            let left = self.settle(session, undone).await;
            if self.stage.stop.is_cancelled() && error.class() == Class::Cancelled {
                return Err(Failure::Interrupted);
            }
            in_doubt = match left? {
                Left::Nothing => false,
                Left::Known => true,
                Left::Unknown => return Err(self.half_done(error)),
            };
            tries.retries += 1;
            tries.waited += began.elapsed();
            if error.class() != Class::Contention || started.elapsed() >= self.settings.retry_for {
                return Err(self.failure(error, began.elapsed(), tries, started.elapsed()));
            }
            let wait = backoff.next_wait();
            (self.stage.events)(Event::Retrying {
                migration: self.migration.to_owned(),
                attempt: tries.retries,
                sqlstate: error.sqlstate().unwrap_or_default().to_owned(),
                waited_ms: milliseconds(began.elapsed()),
                retry_in_ms: milliseconds(wait),
                blocked_by: Vec::new(),
            });
            pause(self.stage, wait).await?;
        }
    }

    /// The server said that it failed. It is not in, but may have left something behind: an invalid index, or whatever a
    /// procedure had committed before.
    async fn settle(&self, session: &mut Session, undone: bool) -> Result<Left, Failure> {
        match self.probe(session).await? {
            Doubt::After(_) | Doubt::Finish(_) => Ok(Left::Known),
            Doubt::Unknown if !undone => Ok(Left::Unknown),
            _ => {
                self.row.record(session, "in_doubt = NULL").await?;
                Ok(Left::Nothing)
            }
        }
    }

    /// One try; the inner result is the server's.
    async fn once(&self, session: &mut Session, in_doubt: bool) -> Result<Result<(), Failed>, Failure> {
        let number = self.nth + 1;
        let done = format!("statements_done = {number}, in_doubt = NULL");
        let doubt = if in_doubt { self.probe(session).await? } else { Doubt::RunAgain };
        let sent = match doubt {
            Doubt::Done => Ok(()),
            Doubt::Unknown => return Err(self.in_doubt()),
            Doubt::Finish(rest) => self.send(session, &rest).await,
            Doubt::After(first) => match self.send(session, &first).await {
                Ok(()) => self.send(session, self.text.sql()).await,
                failed => failed,
            },
            Doubt::RunAgain => {
                self.row.record(session, &format!("in_doubt = {number}")).await?;
                self.send(session, self.text.sql()).await
            }
        };
        match sent {
            Ok(()) => self.row.record(session, &done).await.map(Ok),
            failed => Ok(failed),
        }
    }

    /// Asks the catalog, in the statement's surroundings.
    async fn probe(&self, session: &mut Session) -> Result<Doubt, Failure> {
        let text = self.text.sql().as_bytes().to_vec();
        let Ok(alone) = Source::from_bytes(&self.text.source.path, text) else { return Ok(Doubt::Unknown) };
        if !self.surroundings.is_empty() {
            session.run(self.surroundings).await?;
        }
        Ok(probe(session, &alone).await?)
    }

    /// What may be waited for without holding anybody up is: a concurrent build that gives up at a lock_timeout leaves an
    /// invalid index behind.
    async fn send(&self, session: &mut Session, text: &str) -> Result<(), Failed> {
        let wait = if self.gentle { 0 } else { self.settings.lock_timeout.as_millis() };
        let limit = self.settings.statement_timeout.as_millis();
        let surroundings = self.surroundings;
        let limits = format!("SET lock_timeout = {wait}; SET statement_timeout = {limit}; {surroundings}");
        let before = Transactions::count(session, &limits).await;
        let before = before.map_err(|error| Failed { error, undone: true })?;
        let canceller = session.canceller();
        let sent = cancel_on(&self.stage.stop, &canceller, self.notices.of(session.run(text))).await;
        let Err(error) = sent else { return Ok(()) };
        // Where the session is gone, nobody knows.
        let after = Transactions::count(session, "").await.ok().flatten();
        let undone = before.zip(after).is_some_and(|(before, after)| before.had_one_until(&after));
        Err(Failed { error, undone })
    }

    fn failure(&self, error: Error, took: Duration, tries: Tries, waited: Duration) -> Failure {
        let class = error.class();
        let failed = ScriptError::from(error);
        match class {
            Class::Contention => {
                let patience = humantime::format_duration(self.settings.retry_for);
                let message = format!("did not get its locks within {patience}: {}", failed.error);
                let problem = self.text.at("E101", &failed, message);
                Failure::Blocked { problem, attempts: tries.retries, waited, blocked_by: Vec::new() }
            }
            Class::Cancelled => cancelled(self.text, &failed, took, self.settings.statement_timeout),
            _ => refusal("E108", self.text, failed),
        }
    }

    /// It has failed behind a COMMIT of its own.
    fn half_done(&self, error: Error) -> Failure {
        let context = error.server().and_then(|report| report.context.as_deref());
        let place = context.and_then(|context| context.lines().last());
        let place = place.map(|place| format!(" (in {place})")).unwrap_or_default();
        let message = format!(
            "failed after it had ended a transaction of its own, so a part of it may be in, and it is not run again by itself: {error}{place}"
        );
        self.doubt(&ScriptError::from(error), message)
    }

    fn in_doubt(&self) -> Failure {
        let message = format!(
            "statement {} was sent by an earlier deploy, and the catalog does not tell whether it is in wholly, partly or not at all",
            self.nth + 1
        );
        self.doubt(&ScriptError::from(Error::Protocol(String::new())), message)
    }

    fn doubt(&self, failed: &ScriptError, message: String) -> Failure {
        let help = format!(
            "look for its effect; then either finish it by hand and say so: pgdeploy repair statement-applied {0} --reason TEXT; \
             or leave in the file what is still to be run: pgdeploy repair statement-missing {0} --reason TEXT",
            self.version
        );
        Failure::InDoubt(self.text.at("E122", failed, message).help(help))
    }
}
