//! A valid index of another definition, replaced: the declared one is built beside it, the names are swapped in one
//! transaction, the old one is dropped.
//!
//! Each step is decided from the catalog, so a run that is killed anywhere is finished by the next; a valid index of the
//! name is there at every moment.

use std::time::Duration;

use postgres::{Backoff, Error};
use tokio::time::Instant;

use crate::clean::{self, Condemned, Dropped};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::ledger::Ended;
use crate::name::{NEW, OLD, with_end};
use crate::outcome::Settled;
use crate::plan::judge;
use crate::settle::{Turn, act};
use crate::state::State;
use crate::survey::{FoundName, Table};
use crate::worker::{Waited, Worker};

/// How often a brief statement is tried; each attempt waits for locks for a second.
const TRIES: u32 = 10;
/// How long the drop of a replaced index waits for transactions that may still use it, before the server is left to
/// finish it.
const PATIENCE: Duration = Duration::from_secs(60);

impl Worker<'_> {
    /// Puts a drifted index right. `made` is the text of what is declared.
    pub(crate) async fn replace(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
        made: &str,
    ) -> Result<Turn, Error> {
        let part = (table.kind == "p").then_some("a partitioned table's index");
        let part = part.or(name.part_of.as_ref().map(|_| "a part of a partitioned table's index"));
        if let Some(why) = part.or(name.kept_for.as_deref()) {
            let words = format!("it is not replaced, because it is kept as {why}");
            return Ok(Some(Ending::drifted(declaration, name, made).and(&words)));
        }
        let new = declaration.named(with_end(&declaration.name, NEW));
        let old = with_end(&declaration.name, OLD);
        // What an earlier replacement has left would be in the way of the swap.
        if let Some(left) = self.drop_beside(declaration, table, &old).await? {
            return Ok(Some(left));
        }
        let mut built = self.settle_derived(&new).await?;
        if built.outcome == Settled::Drifted {
            // Built for what the declaration said earlier.
            if let Some(left) = self.drop_beside(declaration, table, &new.name).await? {
                return Ok(Some(left));
            }
            built = self.settle_derived(&new).await?;
        }
        if !built.outcome.is_fine() {
            return Ok(Some(Ending::of_part(built, "its replacement")));
        }
        let mut act = act("replace", declaration, table, State::Drifted);
        act.attempt = 1;
        let id = self.begin(act).await?;
        if let Err(error) = self.swap(table, &declaration.name, &new.name, &old).await {
            let message = error.to_string();
            let ended = Ended {
                outcome: "failed",
                sqlstate: error.sqlstate(),
                message: Some(&message),
                ..Ended::default()
            };
            self.finish(id, ended).await?;
            let words = format!("{} is built, and the names could not be swapped: {message}", new.name);
            return Ok(Some(Ending::failed(words)));
        }
        let now = judge(&mut self.session, &[declaration], self.stage.ledger).await?.pop();
        let Some(now) = now.and_then(|judged| judged.found.name) else { return Ok(None) };
        let ended = Ended {
            outcome: "replaced",
            size_bytes: Some(now.size_bytes),
            index_text: Some(&now.text),
            ..Ended::default()
        };
        self.finish(id, ended).await?;
        let ending = Ending::there(Settled::Replaced, &now);
        Ok(Some(match self.drop_beside(declaration, table, &old).await? {
            None => ending,
            Some(left) => Ending {
                next: Some("the next deploy drops it: pgdeploy deploy --env {env}".into()),
                ..ending.and(&format!("the index that it replaces is still there as {old}: {}", left.words()))
            },
        }))
    }

    /// Both names change in one transaction, whose locks are on the two indexes only (ALTER INDEX, "RENAME").
    async fn swap(&mut self, table: &Table, name: &str, new: &str, old: &str) -> Result<(), Error> {
        let rename = |from: &str, to: &str| {
            format!("ALTER INDEX {} RENAME TO {}", sql::qualified(&table.schema, from), sql::identifier(to))
        };
        self.briefly(&format!("{}; {}", rename(name, old), rename(new, name))).await
    }

    /// Runs statements that need their locks for a moment only, in one transaction that never queues for longer than a
    /// second at a time.
    pub(crate) async fn briefly(&mut self, statements: &str) -> Result<(), Error> {
        let text = format!("BEGIN; SET LOCAL lock_timeout = '1s'; {statements}; COMMIT");
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
        let mut attempt = 1;
        loop {
            let error = match self.session.run(&text).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            self.session.run("ROLLBACK").await?;
            let contended = matches!(error.sqlstate(), Some("55P03" | "40P01"));
            if !contended || attempt == TRIES || self.is_over() || !self.sleep(backoff.next_wait()).await {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Drops an index of ours beside the declared one, if it is there; an ending if it stays.
    pub(crate) async fn drop_beside(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &str,
    ) -> Result<Turn, Error> {
        let beside = declaration.named(name.to_owned());
        let found = judge(&mut self.session, &[&beside], self.stage.ledger).await?.pop();
        let Some(found) = found.and_then(|judged| judged.found.name) else { return Ok(None) };
        if found.of_oid != Some(table.oid) {
            return Ok(Some(Ending::failed(format!("the name {name} belongs to something else"))));
        }
        match self.wait_for_table(name, table, None).await? {
            Waited::Free | Waited::Changed => {}
            Waited::Held(holders) | Waited::Stopped(holders) => {
                return Ok(Some(Ending::busy(table, &crate::worker::who(&holders))));
            }
        }
        let id = self.begin(act("drop", &beside, table, State::Present)).await?;
        let condemned = Condemned { schema: &found.schema, name, table: &table.name };
        let until = self.deadline.min(Instant::now() + PATIENCE);
        let (outcome, left) = match clean::drop_index(self.stage, &condemned, until).await {
            Dropped::Gone => ("dropped", None),
            Dropped::Unfinished => {
                ("detached", Some(format!("the server drops {name} as soon as older transactions end")))
            }
            Dropped::Refused(error) => ("failed", Some(format!("{name} could not be dropped: {error}"))),
        };
        self.finish(id, Ended { outcome, message: left.as_deref(), ..Ended::default() }).await?;
        Ok(left.map(Ending::failed))
    }
}
