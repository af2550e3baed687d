//! A change of the history that a person vouches for: recorded like a deploy, with who and why.

use postgres::{Clerk, RunLock};
use tokio_util::sync::CancellationToken;

use crate::deployment::Deployment;
use crate::failure::{Failure, Verdict};
use crate::foundation::bootstrap;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::record::{Record, Recorder};
use crate::request::Request;

/// What such a change is made with.
pub(crate) struct Act<'a> {
    pub(crate) request: &'a Request,
    pub(crate) lock: &'a RunLock,
    pub(crate) plan: &'a Plan,
    pub(crate) recorder: Recorder<'a>,
    pub(crate) records: tokio::sync::mpsc::UnboundedReceiver<Record>,
    /// Ends it before it has written anything.
    pub(crate) stop: CancellationToken,
}

impl Act<'_> {
    /// Opens the deployment's row and its journal, does the work, and closes both, whether it succeeded or not. Returns
    /// the deployment's number with the work's result.
    pub(crate) async fn run<T>(
        self,
        work: impl AsyncFnOnce(&mut Deployment, &Recorder<'_>) -> Result<T, Failure>,
    ) -> Result<(i64, T), Failure> {
        let Act { request, lock, plan, recorder, records, stop } = self;
        let mut session = lock.session("ledger").await.map_err(Failure::session)?;
        bootstrap(request, &mut session, lock).await?;
        let mut row = Deployment::open(Clerk::new(session), request, plan, false)
            .await
            .map_err(Failure::session)?
            .stopped_by(&stop);
        recorder.number(row.number);
        let journal = lock.session("journal").await.map_err(Failure::session)?;
        let journal = Journal::start(Clerk::new(journal), &request.ledger, row.number, records);
        // What the work has not committed by then is rolled back with its session.
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Failure::interrupted("interrupted; pgdeploy status says whether it was done")),
            result = work(&mut row, &recorder) => result,
        };
        drop(recorder);
        row.journal_missing = journal.finish().await;
        let number = row.number;
        let verdict = result.as_ref().err().map_or(Verdict::Succeeded, |failure| failure.verdict);
        let closed =
            row.close(verdict.status(), request.exit.code(verdict), &[]).await.map_err(Failure::session);
        let done = result?;
        closed?;
        Ok((number, done))
    }
}
