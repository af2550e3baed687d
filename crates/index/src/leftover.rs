//! An index that is there and not valid: being built by somebody, or left behind by a build that failed.

use std::time::Duration;

use postgres::Error;
use tokio::time::Instant;

use crate::build::Reason;
use crate::clean::{self, Condemned, Dropped};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::event::Event;
use crate::ledger::Ended;
use crate::locks;
use crate::plan::judge;
use crate::settle::{Story, Turn, act};
use crate::state::State;
use crate::survey::{FoundName, Table};
use crate::worker::{Waited, Worker, who};

/// How often an index that cannot be dropped is built anew.
const REINDEXES: u32 = 2;
/// How long the removal of what a build of ours has left is waited for before the server is left to finish it.
pub(crate) const CLEANING: Duration = Duration::from_secs(20);

impl Worker<'_> {
    /// There and not valid: somebody builds it, or somebody failed to.
    pub(crate) async fn invalid(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
        story: &mut Story,
    ) -> Result<Turn, Error> {
        if self.is_stopped() || self.is_over() {
            let ending = Ending::skipped(if self.is_stopped() { Reason::Stopped } else { self.over });
            return Ok(Some(match story.attempts {
                0 => ending,
                _ => self.without_leftover(declaration, ending, CLEANING).await,
            }));
        }
        match self.wait_for_table(&declaration.name, table, Some(name.oid)).await? {
            Waited::Changed => {
                story.adopted = true;
                return Ok(None);
            }
            Waited::Held(holders) => return Ok(Some(Ending::busy(table, &who(&holders)))),
            Waited::Stopped(holders) => return Ok(Some(Ending::stopped(name, &holders))),
            Waited::Free => {}
        }
        // Nobody has the lock, so nobody builds it now; what is dropped is what was looked at.
        let mut now = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
        let same =
            now.pop().and_then(|judged| judged.found.name).filter(|now| now.oid == name.oid && !now.valid);
        let Some(name) = same else { return Ok(None) };
        if story.attempts == 0 {
            story.repaired = true;
            self.tell(Event::Repairing {
                index: declaration.name.clone(),
                table: declaration.table.clone(),
                rejects_rows: name.rejects_rows(),
            });
        }
        if (name.part_of.is_some() || name.constraint.is_some()) && story.attempts >= REINDEXES {
            return Ok(Some(Ending::failed("REINDEX succeeded, and the index is not valid".into())));
        }
        if name.part_of.is_some() || name.constraint.is_some() {
            // It cannot be dropped by itself.
            story.attempts += 1;
            return Ok(self.reindex(&declaration.name, Some(declaration), table).await?.map(Ending::failed));
        }
        match self.clean(declaration, table, &name, self.deadline).await? {
            None => Ok(None),
            Some(left) => Ok(Some(Ending::failed(left).left_behind())),
        }
    }

    /// Removes an invalid index; words if it is still there.
    async fn clean(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
        until: Instant,
    ) -> Result<Option<String>, Error> {
        let id = self.begin(act("drop", declaration, table, State::Invalid)).await?;
        let condemned = Condemned { schema: &name.schema, name: &declaration.name, table: &table.name };
        let dropped = clean::drop_index(self.stage, &condemned, until).await;
        let harm = match name.rejects_rows() {
            true => "it rejects duplicate rows until it is gone",
            false if name.ready => "every write to the table keeps it up although no query can use it",
            false => "no query uses it and no write keeps it up",
        };
        let (outcome, left) = match dropped {
            Dropped::Gone => ("dropped", None),
            Dropped::Unfinished => (
                "detached",
                Some(format!(
                    "the invalid index is still there: the server drops it as soon as older transactions on {} end; until then {harm}",
                    table.name
                )),
            ),
            Dropped::Refused(error) => {
                ("failed", Some(format!("the invalid index could not be dropped ({error}); {harm}")))
            }
        };
        self.finish(id, Ended { outcome, message: left.as_deref(), ..Ended::default() }).await?;
        Ok(left)
    }

    /// Removes what a build of ours has left; if that cannot be done, the ending says so.
    pub(crate) async fn without_leftover(
        &mut self,
        declaration: &Declaration,
        ending: Ending,
        patience: Duration,
    ) -> Ending {
        match self.try_clean(declaration, patience).await {
            Ok(None) => ending,
            Ok(Some(left)) => ending.and(&left).left_behind(),
            Err(error) => ending.and(&format!("what it left could not be looked at ({error})")).left_behind(),
        }
    }

    async fn try_clean(
        &mut self,
        declaration: &Declaration,
        patience: Duration,
    ) -> Result<Option<String>, Error> {
        let mut all = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
        let Some(judged) = all.pop() else { return Ok(None) };
        let (State::Invalid | State::Busy, Some(table), Some(name)) =
            (judged.state, &judged.found.table, &judged.found.name)
        else {
            return Ok(None);
        };
        let free = self.is_stopped() || self.is_over();
        let free = match free {
            true => locks::free(&mut self.session, table).await?,
            false => !matches!(
                self.wait_for_table(&declaration.name, table, Some(name.oid)).await?,
                Waited::Held(_) | Waited::Stopped(_)
            ),
        };
        if !free {
            return Ok(Some("the invalid index is still there: others hold the table".into()));
        }
        self.clean(declaration, table, name, Instant::now() + patience).await
    }
}
