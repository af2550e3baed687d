//! A generation of a definition: whether the last one still stands, and how the next one is opened.

use postgres::{Error, Session};

use crate::failure::Ended;
use crate::record::{self, Record};
use crate::relation::Relation;
use crate::stoppable::bounded;
use crate::texts::Texts;
use crate::unit;
use crate::verify;
use crate::worker::Worker;

impl Worker<'_> {
    /// What was complete stays so, unless a migration was taken back since: then its rows are asked. `None`: they match
    /// again.
    pub(crate) async fn is_still_done(
        &self,
        session: &mut Session,
        record: &Record,
        texts: &Texts,
    ) -> Result<Option<Ended>, Error> {
        if !record.is_undone {
            return Ok(Some(Ended::Unchanged));
        }
        if self.definition.is_once() {
            return Ok(Some(Ended::Unproven));
        }
        let canceller = session.canceller();
        let look = verify::any_matches(session, texts, record.id);
        if bounded(&self.stage.stop, self.deadline, &canceller, look).await? {
            return Ok(None);
        }
        record::still_done(session, self.stage.ledger, record.id).await?;
        Ok(Some(Ended::Unchanged))
    }

    pub(crate) async fn open(
        &mut self,
        session: &mut Session,
        (relation, texts): (&Relation, &Texts),
        generation: i32,
    ) -> Result<Option<i64>, Error> {
        self.estimated_rows = verify::estimate(session, relation, texts).await?;
        let numbers = (generation, self.estimated_rows, self.stage.deployment);
        let (definition, ledger) = (self.definition, self.stage.ledger);
        if !definition.is_once() {
            return record::open(session, ledger, (definition, relation), numbers).await;
        }
        // What is there when it begins is seen in one snapshot, whenever a unit's turn comes.
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE").await?;
        let opened = record::open(session, ledger, (definition, relation), numbers).await?;
        if let Some(backfill) = opened {
            unit::enumerate(session, ledger, (backfill, self.estimated_rows), relation, false).await?;
            unit::bounds(session, ledger, backfill, relation).await?;
        }
        session.run("COMMIT").await?;
        Ok(opened)
    }
}
