//! Adopting a database: the history that a person vouches for.

use postgres::RunLock;

use crate::deploy::{bootstrap, take_lock};
use crate::deployment::Deployment;
use crate::event::{DeployEvent, StageName};
use crate::failure::{Failure, Verdict};
use crate::journal::Journal;
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::release::File;
use crate::request::Request;

/// What a baseline would do, or has done.
#[derive(Debug)]
pub struct Baseline {
    /// The files that are taken to be in the database, oldest first.
    pub migrations: Vec<String>,
    /// The deployment that records it; `None` where it was only looked at.
    pub deployment: Option<i64>,
}

/// Stamps every migration up to `version` as being in the database, without running it. Refused where the database has
/// a history. Without `act` it only says what it would do.
pub async fn baseline(request: &Request, version: u64, reason: &str, act: bool) -> Result<Baseline, Failure> {
    let Some(covered) = schema::covered(&request.release.migrations, version) else {
        return Err(Failure::baseline(format!("no file in the release has version {version}")));
    };
    let migrations: Vec<String> = covered.iter().map(|migration| migration.id().to_owned()).collect();
    let (recorder, records) = Recorder::new(&request.environment, &|_| {});
    let mut session = reach::for_writing(request, &recorder).await?;
    let lock = take_lock(request, &recorder).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    if plan.schema.applied > 0 {
        let message =
            format!("the database has a history already: {} migrations are in", plan.schema.applied);
        return Err(Failure::baseline(message));
    }
    if !act {
        return Ok(Baseline { migrations, deployment: None });
    }
    bootstrap(request, &mut session, &lock).await?;
    let mut row = open(request, &lock, &plan).await?;
    recorder.number(row.number);
    let journal = lock.session("journal").await.map_err(Failure::session)?;
    let journal = Journal::start(journal, &request.ledger, row.number, records);
    schema::baseline(&lock, covered, &request.ledger, row.number).await.map_err(Failure::session)?;
    let stamped = |file: &&File| {
        file.stage == StageName::Schema && covered.iter().any(|migration| migration.source.path == file.path)
    };
    row.succeeded(request.release.files.iter().filter(stamped)).await.map_err(Failure::session)?;
    let at = migrations.last().cloned().unwrap_or_default();
    recorder.record(DeployEvent::Baselined { at, migrations: migrations.len(), reason: reason.to_owned() });
    drop(recorder);
    journal.finish().await;
    let deployment = Some(row.number);
    row.close(Verdict::Succeeded.status(), 0, &[]).await.map_err(Failure::session)?;
    lock.release().await;
    Ok(Baseline { migrations, deployment })
}

async fn open(request: &Request, lock: &RunLock, plan: &Plan) -> Result<Deployment, Failure> {
    let session = lock.session("ledger").await.map_err(Failure::session)?;
    Deployment::open(session, request, plan).await.map_err(Failure::session)
}
