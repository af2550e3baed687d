//! Rows for an embedded database, loaded once between two migrations.

use std::time::Instant;

use postgres::{Class, Session, Stage, cancel_on, query};
use sql::Source;

use crate::event::{Event, milliseconds};
use crate::failure::Failure;
use crate::refusal::{Text, refusal};
use crate::shape::Shape;

/// A file of rows, and the version after which they fit.
#[derive(Debug, Clone)]
pub struct Fixtures {
    /// Loaded once this version is in and before the next.
    pub after: u64,
    /// The file.
    pub source: Source,
}

impl Fixtures {
    /// The file's path as it is recorded.
    pub fn path(&self) -> String {
        self.source.path.display().to_string()
    }

    /// Loads the rows and the record of it in one transaction.
    pub(crate) async fn load(&self, stage: &Stage<'_, Event>, session: &mut Session) -> Result<(), Failure> {
        let started = Instant::now();
        session.run("BEGIN").await?;
        let loaded = self.body(stage, session).await;
        if let Err(failure) = loaded {
            let _ = session.run("ROLLBACK").await;
            return Err(failure);
        }
        session.run("COMMIT").await?;
        session.reset().await?;
        (stage.events)(Event::Fixtures { path: self.path(), duration_ms: milliseconds(started.elapsed()) });
        Ok(())
    }

    async fn body(&self, stage: &Stage<'_, Event>, session: &mut Session) -> Result<(), Failure> {
        let text = format!(
            "INSERT INTO {}.fixtures (path, checksum, deployment) VALUES ($1, $2, $3)",
            sql::identifier(stage.ledger)
        );
        let record = query(&text).bind(self.path()).bind(&self.source.sha256).bind(stage.deployment);
        record.execute(session.connection()).await.map_err(postgres::Error::from)?;
        let canceller = session.canceller();
        match cancel_on(&stage.stop, &canceller, session.script(&self.source.text)).await {
            Ok(()) => Ok(()),
            Err(failed) if stage.stop.is_cancelled() && failed.error.class() == Class::Cancelled => {
                Err(Failure::Interrupted)
            }
            Err(failed) => Err(refusal("E114", &Text::whole(&self.source, &Shape::of(&self.source)), failed)),
        }
    }
}
