//! A file with `transaction: false`: its statements run one by one, each recorded, and a deploy that was cut short goes on
//! at the statement where it ended.
//!
//! A statement that can be in a transaction is in one, together with the record that it is done. Only for what the server
//! refuses to run in a transaction is there a moment in which it is sent and nobody knows: then the record says so, and
//! the next deploy asks the catalog.

use std::ops::Range;
use std::time::Instant;

use postgres::{Class, Error, Notices, Session, Stage, cancel_on};
use sql::{Source, literal};

use crate::attempt::Records;
use crate::event::Event;
use crate::failure::Failure;
use crate::fence::{Fence, Held};
use crate::history::Progress;
use crate::look::Look;
use crate::migrate::insert;
use crate::migration::Migration;
use crate::patience::{Patience, Tries};
use crate::probe::{Doubt, probe};
use crate::refusal::{Text, refusal};
use crate::run::Settings;

/// The run of one such file.
pub(crate) struct Statements<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) migration: &'a Migration,
    pub(crate) look: &'a Look,
    pub(crate) notices: &'a Notices,
}

/// One statement of the file.
struct Statement {
    span: Range<usize>,
    outside: bool,
}

/// SHA-256 of each statement's tokens: comments and blanks may change.
pub(crate) fn hashes(source: &Source) -> Vec<String> {
    spans(source).iter().map(|statement| hash(source, &statement.span)).collect()
}

fn hash(source: &Source, span: &Range<usize>) -> String {
    let alone = Source::from_bytes(&source.path, source.text[span.clone()].as_bytes().to_vec());
    alone.ok().and_then(|alone| alone.token_sha256()).unwrap_or_default()
}

fn spans(source: &Source) -> Vec<Statement> {
    let all = |statements: Vec<sql::Statement>| {
        let one = |one: sql::Statement| Statement { span: one.span, outside: sql::is_outside(&one.node) };
        statements.into_iter().map(one).collect()
    };
    // The file was parsed before any file ran.
    sql::parse(source, all).unwrap_or_default()
}

impl Statements<'_> {
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        progress: Option<&Progress>,
    ) -> Result<Tries, Failure> {
        let started = Instant::now();
        let statements = spans(&self.migration.source);
        let mut tries = Tries::default();
        self.enter(session, statements.len(), progress).await?;
        if let Some(prologue) = self.settings.prologue() {
            session.run(&prologue.replace("SET LOCAL ", "SET ")).await?;
        }
        let (done, in_doubt) = progress.map_or((0, None), |progress| (progress.done, progress.in_doubt));
        for (nth, statement) in statements.iter().enumerate().skip(done) {
            if self.stage.stop.is_cancelled() {
                return Err(Failure::Interrupted);
            }
            let text = Text { source: &self.migration.source, span: statement.span.clone() };
            if statement.outside {
                self.outside(session, nth, &text, in_doubt == Some(nth)).await?;
            } else {
                let took = self.inside(session, nth, text).await?;
                tries.retries += took.retries;
                tries.waited += took.waited;
                tries.blocked_by = took.blocked_by;
            }
            (self.stage.events)(Event::Statement {
                migration: self.migration.id().to_owned(),
                done: nth + 1,
                total: statements.len(),
            });
        }
        tries.duration = started.elapsed();
        self.leave(session, &tries).await?;
        Ok(tries)
    }

    /// The row, which says from now on how far it is. The execute lock stays with the session until its reset.
    async fn enter(
        &self,
        session: &mut Session,
        total: usize,
        progress: Option<&Progress>,
    ) -> Result<(), Failure> {
        let hashes: Vec<String> = hashes(&self.migration.source).iter().map(|hash| literal(hash)).collect();
        let statements = format!("ARRAY[{}]::text[]", hashes.join(", "));
        let text = match progress {
            None => {
                let progress = format!("'running', {statements}, {total}, 0");
                insert(self.stage, self.migration, Held::Session, &progress, &Tries::default())
            }
            Some(_) => format!(
                "{} UPDATE {} SET statements = {statements}, statements_total = {total} FROM fence WHERE {} AND open RETURNING xid",
                Fence::of(self.stage.lock).enter(Held::Session),
                self.table(),
                self.row()
            ),
        };
        if session.answer(&text).await?.is_none() {
            return Err(Fence::of(self.stage.lock).why(session).await?);
        }
        Ok(())
    }

    /// The statement and the record that it is done, in one transaction.
    async fn inside(&self, session: &mut Session, nth: usize, text: Text<'_>) -> Result<Tries, Failure> {
        let patience = Patience {
            stage: self.stage,
            settings: self.settings,
            migration: self.migration.id(),
            text,
            look: self.look,
            notices: self.notices,
        };
        let records = |_: &Tries| Records {
            enter: format!(
                "{} UPDATE {} SET in_doubt = NULL FROM fence WHERE {} AND open RETURNING pg_catalog.pg_current_xact_id()::text",
                Fence::of(self.stage.lock).enter(Held::Transaction),
                self.table(),
                self.row()
            ),
            leave: format!(
                "UPDATE {} SET statements_done = {} WHERE {} AND {{same}}",
                self.table(),
                nth + 1,
                self.row()
            ),
        };
        patience.run(session, records).await
    }

    /// The intent is written, then the act, then the result.
    async fn outside(
        &self,
        session: &mut Session,
        nth: usize,
        text: &Text<'_>,
        doubtful: bool,
    ) -> Result<(), Failure> {
        let number = nth + 1;
        let alone = Source::from_bytes(&text.source.path, text.sql().as_bytes().to_vec());
        if let (true, Ok(alone)) = (doubtful, alone) {
            match probe(session, &alone).await? {
                Doubt::Done => {
                    return self
                        .record(session, &format!("statements_done = {number}, in_doubt = NULL"))
                        .await;
                }
                Doubt::RunAgain => {}
                Doubt::After(first) => {
                    self.send(session, &first).await.map_err(|error| refusal("E108", text, error.into()))?
                }
                Doubt::Finish(rest) => {
                    self.send(session, &rest).await.map_err(|error| refusal("E108", text, error.into()))?;
                    return self
                        .record(session, &format!("statements_done = {number}, in_doubt = NULL"))
                        .await;
                }
                Doubt::Unknown => return Err(self.in_doubt(number, text)),
            }
        }
        self.record(session, &format!("in_doubt = {number}")).await?;
        match self.send(session, text.sql()).await {
            Ok(()) => self.record(session, &format!("statements_done = {number}, in_doubt = NULL")).await,
            Err(error) if self.stage.stop.is_cancelled() && error.class() == Class::Cancelled => {
                Err(Failure::Interrupted)
            }
            // The server said that it failed. What it left behind (an invalid index) is asked for when it is run again.
            Err(error) => Err(refusal("E108", text, error.into())),
        }
    }

    /// Its waits for locks hold up nobody who does not want the same (fact: a concurrent build that gives up at a
    /// lock_timeout leaves an invalid index behind), so only the statement's own limit counts.
    async fn send(&self, session: &mut Session, text: &str) -> Result<(), Error> {
        let limit = self.settings.statement_timeout.as_millis();
        session.run(&format!("SET lock_timeout = 0; SET statement_timeout = {limit}")).await?;
        let canceller = session.canceller();
        cancel_on(&self.stage.stop, &canceller, self.notices.of(session.run(text))).await?;
        session.run("SET statement_timeout = 0").await.map(drop)
    }

    async fn record(&self, session: &mut Session, set: &str) -> Result<(), Failure> {
        // The statements before may have changed the role.
        let ours = Fence::of(self.stage.lock).lock_is_ours();
        let text = format!("UPDATE {} SET {set} WHERE {} AND {ours} RETURNING 1", self.table(), self.row());
        match session.answer(&text).await? {
            Some(_) => Ok(()),
            None => Err(Failure::LockLost),
        }
    }

    async fn leave(&self, session: &mut Session, tries: &Tries) -> Result<(), Failure> {
        session.run("RESET SESSION AUTHORIZATION; RESET ROLE").await?;
        let source = &self.migration.source;
        let token = source.token_sha256().map_or("NULL".to_owned(), |hash| literal(&hash));
        let set = format!(
            "status = 'applied', in_doubt = NULL, applied_at = pg_catalog.clock_timestamp(), checksum = {}, raw_checksum = {}, \
             token_checksum = {token}, duration_ms = {}, retries = {}, waited_ms = {}, deployment = {}",
            literal(&source.sha256),
            literal(&source.raw_sha256),
            tries.duration.as_millis(),
            tries.retries,
            tries.waited.as_millis(),
            self.stage.deployment,
        );
        self.record(session, &set).await
    }

    fn in_doubt(&self, number: usize, text: &Text<'_>) -> Failure {
        let message = format!(
            "statement {number} was sent by a deploy that ended before the answer, and the catalog does not tell whether it is in"
        );
        let failed = postgres::ScriptError { statement: None, error: Error::Protocol(String::new()) };
        let help = format!(
            "look for its effect, then say what you found: pgdeploy repair statement-applied {0} --reason TEXT, or statement-missing {0}",
            self.migration.version
        );
        Failure::InDoubt(text.at("E122", &failed, message).help(help))
    }

    fn table(&self) -> String {
        format!("{}.migrations", sql::identifier(self.stage.ledger))
    }

    fn row(&self) -> String {
        format!("version = {} AND status = 'running'", self.migration.version)
    }
}

/// The first statement that is in the database already and does not stand in the file any more as it was run.
pub(crate) fn edited(source: &Source, progress: &Progress) -> Option<(usize, Range<usize>)> {
    let now = spans(source);
    (0..progress.done).find_map(|nth| {
        let same = now
            .get(nth)
            .is_some_and(|statement| Some(&hash(source, &statement.span)) == progress.statements.get(nth));
        let last = now.last().map_or(0..0, |statement| statement.span.clone());
        (!same).then(|| (nth, now.get(nth).map_or(last, |statement| statement.span.clone())))
    })
}
