//! How the account of a deploy begins: what is planned, the deployment's row, the journal behind it.

use postgres::{Class, Session, cancel_on};
use tokio_util::sync::CancellationToken;

use super::{Records, Run};
use crate::clerks::Clerks;
use crate::deployment::Deployment;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::plan::Plan;

impl Run<'_> {
    /// Says where the deploy is and what it has to do.
    pub(super) async fn planned(&self, plan: &Plan, session: &mut Session) -> Result<(), Failure> {
        let tls = session.tls().await.map_err(Failure::session)?;
        let request = self.request;
        let revision = request.revision.as_ref();
        self.recorder.record(DeployEvent::Planned {
            pipeline: request.pipeline.clone(),
            server: session.version().to_owned(),
            target: request.target.to_string(),
            tls,
            release: request.release.hash.clone(),
            plan: plan.hash.clone(),
            commit: revision.map(|revision| revision.commit.clone()),
            dirty: revision.is_some_and(|revision| revision.dirty),
            actor: request.actor.name.clone(),
            migrations: plan.schema.pending.len(),
            indexes: plan.index.pending().count(),
            backfills: plan.backfill.pending().count(),
            backfill_rows: plan.backfill_rows(),
        });
        Ok(())
    }

    /// Opens the deployment's row and starts the journal behind it.
    pub(crate) async fn open(
        &mut self,
        clerks: Clerks,
        plan: &Plan,
        records: Records,
        stop: &CancellationToken,
    ) -> Result<Deployment, Failure> {
        let canceller = clerks.row.session().await.canceller();
        let opened =
            cancel_on(stop, &canceller, Deployment::open(clerks.row, self.request, plan, !plan.is_empty()))
                .await;
        let row = opened
            .map_err(|error| match error.class() {
                Class::Cancelled if stop.is_cancelled() => {
                    Failure::interrupted("interrupted before anything was touched")
                }
                _ => Failure::session(error),
            })?
            .stopped_by(stop);
        self.recorder.number(row.number);
        self.journal = Some(Journal::start(clerks.journal, &self.request.ledger, row.number, records));
        if let Some(earlier) = row.closed_earlier {
            self.recorder.record(DeployEvent::ClosedEarlier { earlier });
        }
        self.recorder.record(DeployEvent::Started);
        Ok(row)
    }
}
