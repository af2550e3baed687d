//! REINDEX CONCURRENTLY: for an index that cannot be dropped by itself, and for one that no file declares.

use postgres::Error;

use crate::build::{self, Ended as Attempt};
use crate::declaration::Declaration;
use crate::ledger::{Act, Ended};
use crate::state::State;
use crate::survey::Table;
use crate::unlimited;
use crate::watch::Watch;
use crate::worker::Worker;

impl Worker<'_> {
    /// Builds an index anew; words where it fails. Nobody may hold a conflicting lock on its table: that is for the caller
    /// to probe.
    pub(crate) async fn reindex(
        &mut self,
        name: &str,
        declaration: Option<&Declaration>,
        table: &Table,
    ) -> Result<Option<String>, Error> {
        let mut session = unlimited::session(self.stage.lock).await?;
        let act = Act {
            action: "reindex",
            schema: &table.schema,
            table: &table.name,
            index: name,
            declaration,
            state_before: State::Invalid.as_str(),
            attempt: 1,
            pid: Some(session.pid()),
        };
        let id = self.begin(act).await?;
        let mut watch = Watch::open(self.stage, name, table).await;
        let text = format!("REINDEX INDEX CONCURRENTLY {}", sql::qualified(&table.schema, name));
        let (outcome, words) = match build::attempt(&mut session, &text, &mut watch, &self.limits()).await {
            Attempt::Done => ("repaired", None),
            Attempt::Refused(error) => ("failed", Some(format!("REINDEX failed: {error}"))),
            Attempt::Detached(why) => {
                ("detached", Some(format!("{}; the server goes on with REINDEX", why.words())))
            }
            Attempt::Cancelled(why) => ("blocked", Some(format!("REINDEX cancelled: {}", why.words()))),
        };
        self.finish(id, Ended { outcome, message: words.as_deref(), ..Ended::default() }).await?;
        Ok(words)
    }
}
