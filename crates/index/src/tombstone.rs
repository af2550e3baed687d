//! One tombstone: its index dropped, unless something still needs it.

use std::time::Duration;

use postgres::Error;
use tokio::time::Instant;

use crate::build::Reason;
use crate::clean::{self, Condemned, Dropped};
use crate::declaration::Tombstone;
use crate::ending::Ending;
use crate::event::Event;
use crate::ledger::{Act, Ended};
use crate::outcome::{ItemOutcome, Settled};
use crate::state::{self, State};
use crate::survey::{self, FoundName, Table};
use crate::watch::milliseconds;
use crate::worker::{Waited, Worker, who};

/// How long a drop waits for transactions that may still use the index, before the server is left to finish it.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

impl Worker<'_> {
    /// Settles one tombstone. `unfinished` are the tables whose declared indexes are not all there: what is dropped may
    /// be what they still need.
    pub(crate) async fn bury(&mut self, tombstone: &Tombstone, unfinished: &[i64]) -> ItemOutcome {
        let started = Instant::now();
        let mut table = String::new();
        let ending = match self.buried(tombstone, unfinished, &mut table).await {
            Ok(ending) => ending,
            Err(error) => Ending::failed(error.to_string()),
        };
        let (index, duration) = (tombstone.name.clone(), started.elapsed());
        match (&ending.reason, ending.outcome) {
            (_, Settled::Dropped) => self.tell(Event::Dropped {
                index: index.clone(),
                table: table.clone(),
                duration_ms: milliseconds(duration),
            }),
            (Some(reason), outcome) => self.tell(Event::Failed {
                index: index.clone(),
                table: table.clone(),
                outcome,
                message: reason.clone(),
                sqlstate: ending.sqlstate.clone(),
            }),
            _ => {}
        }
        ending.of(index, table, duration, 0)
    }

    async fn buried(
        &mut self,
        tombstone: &Tombstone,
        unfinished: &[i64],
        shown: &mut String,
    ) -> Result<Ending, Error> {
        let name = survey::tombstones(&mut self.session, &[tombstone]).await?.pop().flatten();
        let (state, note) = state::of_tombstone(&tombstone.name, name.as_ref());
        let Some(name) = name else { return Ok(Ending::fine(Settled::Unchanged)) };
        *shown = name.of_table.clone().unwrap_or_default();
        let (State::Present, Some(table)) = (state, table_of(&name)) else {
            return Ok(Ending::refused(state, note));
        };
        if self.is_stopped() {
            return Ok(Ending::skipped(Reason::Stopped));
        }
        if self.is_over() {
            return Ok(Ending::skipped(Reason::Budget));
        }
        if unfinished.contains(&table.oid) {
            let words = format!("kept, because not every declared index of {} is there yet", table.name);
            return Ok(Ending { reason: Some(words), ..Ending::skipped(Reason::Budget) });
        }
        match self.wait_for_table(&tombstone.name, &table, None).await? {
            Waited::Free | Waited::Changed => {}
            Waited::Held(holders) => return Ok(Ending::busy(&table, &who(&holders))),
            Waited::Stopped(_) => return Ok(Ending::skipped(Reason::Stopped)),
        }
        let act = Act {
            action: "drop",
            schema: &name.schema,
            table: &table.name,
            index: &tombstone.name,
            declaration: None,
            state_before: state.as_str(),
            attempt: 1,
            pid: None,
        };
        let id = self.begin(act).await?;
        let condemned = Condemned { schema: &name.schema, name: &tombstone.name, table: &table.name };
        let until = self.deadline.min(Instant::now() + PATIENCE);
        let ending = match clean::drop_index(self.stage, &condemned, until).await {
            Dropped::Gone => Ending::fine(Settled::Dropped),
            Dropped::Unfinished => {
                let words =
                    format!("the server drops it as soon as older transactions on {} end", table.name);
                let ending = Ending::failed(words);
                Ending { outcome: Settled::Detached, ..ending }
            }
            Dropped::Refused(error) => Ending::failed(error.to_string()),
        };
        let ended =
            Ended { outcome: ending.outcome.as_str(), message: ending.reason.as_deref(), ..Ended::default() };
        self.finish(id, ended).await?;
        Ok(ending)
    }
}

/// The table of an index, as far as a drop needs to know it.
fn table_of(name: &FoundName) -> Option<Table> {
    let oid = name.of_oid?;
    Some(Table::known(oid, oid, name.schema.clone(), name.of_table.clone()?, name.of_kind.clone()?))
}
