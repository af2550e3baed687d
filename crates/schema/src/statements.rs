//! A file with `transaction: false`: its statements run one by one, each recorded, and a deploy that was cut short goes on
//! at the statement where it ended.
//!
//! A statement that can be in a transaction is in one, together with the record that it is done. Only what the server
//! refuses to run in a transaction is run `alone`, with the record before and after it.

use std::time::Instant;

use postgres::{Notices, Session, Stage};
use sql::literal;

use crate::alone::Alone;
use crate::attempt::Records;
use crate::event::Event;
use crate::failure::Failure;
use crate::fence::{Fence, Held};
use crate::history::Progress;
use crate::look::Look;
use crate::migrate::{insert, tell};
use crate::migration::Migration;
use crate::patience::{Patience, Tries};
use crate::progress::Row;
use crate::refusal::Text;
use crate::run::Settings;
use crate::split::{Statement, hashes, split};

/// The SQLSTATEs by which the server says that a statement refuses to run inside a transaction block, also where its text
/// does not tell: REINDEX of a partitioned table; a procedure or a DO block with COMMIT. Nothing of it has been done then.
const REFUSES_A_BLOCK: [&str; 2] = ["25001", "2D000"];

/// The run of one such file.
pub(crate) struct Statements<'a> {
    pub(crate) stage: &'a Stage<'a, Event>,
    pub(crate) settings: &'a Settings,
    pub(crate) migration: &'a Migration,
    /// With the path of the settings.
    pub(crate) look: Look<'a>,
    pub(crate) notices: &'a Notices,
}

/// What holds for a statement, whoever the records are written as.
struct Surroundings {
    /// What is set before it: what the settings say, and the statements before it.
    statements: Vec<String>,
    /// The one of these that sets the search path.
    path: Option<String>,
}

impl Statements<'_> {
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        progress: Option<&Progress>,
    ) -> Result<Tries, Failure> {
        let started = Instant::now();
        let statements = split(&self.migration.source);
        let mut tries = Tries::default();
        let (done, in_doubt) = progress.map_or((0, None), |progress| (progress.done, progress.in_doubt));
        self.enter(session, statements.len(), progress.is_some()).await?;
        let mut entered = session.pid();
        let mut surroundings = Surroundings {
            statements: self.settings.surroundings("SET"),
            path: self.settings.set_path("SET"),
        };
        for (nth, statement) in statements.iter().enumerate() {
            let text = Text::part(&self.migration.source, statement.span.clone());
            if nth >= done {
                if self.stage.stop.is_cancelled() {
                    return Err(Failure::Interrupted);
                }
                // The session was replaced after a lost COMMIT: the execute lock went with it.
                if session.pid() != entered {
                    self.enter(session, statements.len(), true).await?;
                    entered = session.pid();
                }
                let took = self
                    .statement(session, nth, statement, &text, &surroundings, in_doubt == Some(nth))
                    .await?;
                tries.add(took);
                tell(self.stage, self.migration, self.notices);
                (self.stage.events)(Event::Statement {
                    migration: self.migration.id().to_owned(),
                    done: nth + 1,
                    total: statements.len(),
                });
            }
            if statement.setting {
                surroundings.statements.push(text.sql().to_owned());
            }
            if statement.path {
                surroundings.path = Some(text.sql().to_owned());
            }
        }
        tries.duration = started.elapsed();
        self.leave(session, &tries).await?;
        Ok(tries)
    }

    async fn statement(
        &self,
        session: &mut Session,
        nth: usize,
        statement: &Statement,
        text: &Text<'_>,
        surroundings: &Surroundings,
        in_doubt: bool,
    ) -> Result<Tries, Failure> {
        if !statement.outside && !in_doubt {
            match self.inside(session, nth, text, surroundings).await {
                Err(Failure::Refused { report, .. }) if REFUSES_A_BLOCK.contains(&report.code.as_str()) => {}
                ended => return ended,
            }
        }
        let alone = Alone {
            stage: self.stage,
            settings: self.settings,
            row: self.row(),
            migration: self.migration.id(),
            version: self.migration.version,
            nth,
            text,
            surroundings: &surroundings.statements.join("; "),
            gentle: statement.gentle,
            notices: self.notices,
        };
        alone.run(session, in_doubt).await
    }

    /// The row, which says from now on how far it is. The execute lock stays with the session until its reset.
    async fn enter(&self, session: &mut Session, total: usize, is_there: bool) -> Result<(), Failure> {
        let hashes: Vec<String> = hashes(&self.migration.source).iter().map(|hash| literal(hash)).collect();
        let statements = format!("ARRAY[{}]::text[]", hashes.join(", "));
        let fence = Fence::of(self.stage.lock).enter(Held::Session);
        let text = if is_there {
            format!(
                "{fence} UPDATE {} SET statements = {statements}, statements_total = {total} FROM fence WHERE {} AND open RETURNING xid",
                self.row().table(),
                self.row().condition()
            )
        } else {
            let progress = format!("'running', {statements}, {total}, 0");
            let insert = insert(self.stage, self.migration, &progress, &Tries::default());
            format!("{fence} {}", insert("", " FROM fence WHERE open RETURNING xid"))
        };
        self.row().enter(session, &text).await
    }

    /// The statement and the record that it is done, in one transaction.
    async fn inside(
        &self,
        session: &mut Session,
        nth: usize,
        text: &Text<'_>,
        surroundings: &Surroundings,
    ) -> Result<Tries, Failure> {
        let (role, path) = (self.look.role.clone(), surroundings.path.clone());
        let look = Look { tables: self.look.tables, role, path };
        let prologue = surroundings.statements.join("; ");
        let patience = Patience {
            stage: self.stage,
            settings: self.settings,
            migration: self.migration.id(),
            text: text.clone(),
            prologue: Some(&prologue),
            alone: false,
            durable: true,
            look: &look,
            notices: self.notices,
        };
        let (table, condition) = (self.row().table(), self.row().condition());
        let records = |_: &Tries| Records {
            enter: format!(
                "{} UPDATE {table} SET in_doubt = NULL FROM fence WHERE {condition} AND open RETURNING pg_catalog.pg_current_xact_id()::text",
                Fence::of(self.stage.lock).enter(Held::Transaction),
            ),
            known: None,
            leave: format!("UPDATE {table} SET statements_done = {} WHERE {condition} AND {{same}}", nth + 1),
            done: format!("SELECT 1 FROM {table} WHERE {condition} AND statements_done = {}", nth + 1),
            found: None,
        };
        patience.run(session, records).await
    }

    async fn leave(&self, session: &mut Session, tries: &Tries) -> Result<(), Failure> {
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
        self.row().record(session, &set).await
    }

    fn row(&self) -> Row<'_> {
        Row { stage: self.stage, settings: self.settings, version: self.migration.version }
    }
}
