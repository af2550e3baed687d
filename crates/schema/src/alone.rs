//! A statement that the server refuses to run in a transaction. There is a moment in which it is sent and nobody knows:
//! then the record says so, and the next deploy asks the catalog.

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

impl Alone<'_> {
    /// The intent is written, then the act, then the result. `in_doubt` is for one that was sent before.
    pub(crate) async fn run(&self, session: &mut Session, mut in_doubt: bool) -> Result<Tries, Failure> {
        let started = Instant::now();
        let mut backoff = Backoff::full_jitter(Duration::from_millis(250), Duration::from_secs(15));
        let mut tries = Tries::default();
        loop {
            let began = Instant::now();
            let error = match self.once(session, in_doubt).await? {
                Ok(()) => return Ok(tries),
                Err(error) => error,
            };
            if error.server().is_none() || error.is_lost_connection() {
                return Err(error.into());
            }
            let settled = self.settle(session).await;
            if self.stage.stop.is_cancelled() && error.class() == Class::Cancelled {
                return Err(Failure::Interrupted);
            }
            in_doubt = settled?;
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

    /// The server said that it failed: it is not in, but may have left something behind (an invalid index). Whether it has.
    async fn settle(&self, session: &mut Session) -> Result<bool, Failure> {
        let left = matches!(self.probe(session).await?, Doubt::After(_) | Doubt::Finish(_));
        if !left {
            self.row.record(session, "in_doubt = NULL").await?;
        }
        Ok(left)
    }

    /// One try; the inner result is the server's.
    async fn once(&self, session: &mut Session, in_doubt: bool) -> Result<Result<(), Error>, Failure> {
        let number = self.nth + 1;
        let done = format!("statements_done = {number}, in_doubt = NULL");
        let doubt = if in_doubt { self.probe(session).await? } else { Doubt::RunAgain };
        let sent = match doubt {
            Doubt::Done => Ok(()),
            Doubt::Unknown => return Err(self.in_doubt(number)),
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
    async fn send(&self, session: &mut Session, text: &str) -> Result<(), Error> {
        let wait = if self.gentle { 0 } else { self.settings.lock_timeout.as_millis() };
        let limit = self.settings.statement_timeout.as_millis();
        let surroundings = self.surroundings;
        let limits = format!("SET lock_timeout = {wait}; SET statement_timeout = {limit}; {surroundings}");
        session.run(&limits).await?;
        let canceller = session.canceller();
        cancel_on(&self.stage.stop, &canceller, self.notices.of(session.run(text))).await.map(drop)
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

    fn in_doubt(&self, number: usize) -> Failure {
        let message = format!(
            "statement {number} was sent by a deploy that ended before the answer, and the catalog does not tell whether it is in"
        );
        let failed = ScriptError { statement: None, error: Error::Protocol(String::new()) };
        let help = format!(
            "look for its effect, then say what you found: pgdeploy repair statement-applied {0} --reason TEXT, or statement-missing {0}",
            self.version
        );
        Failure::InDoubt(self.text.at("E122", &failed, message).help(help))
    }
}
