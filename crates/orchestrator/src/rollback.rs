//! Going back to an earlier migration: planned, recorded and surrounded by the services like a deploy.

use postgres::{Stage, Warning};
use schema::Rollback;
use tokio_util::sync::CancellationToken;

use crate::act::Act;
use crate::event::{DeployEvent, Event};
use crate::failure::Failure;
use crate::gate;
use crate::plan::Plan;
use crate::reach;
use crate::record::{Observer, Recorder};
use crate::request::Request;
use crate::services;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RollbackTo<'a> {
    /// The migration that is to be the newest.
    pub version: u64,
    /// Why, for the records.
    pub reason: &'a str,
    /// Whether statements that take data with them may run.
    pub allow_data_loss: bool,
    /// Whether it is done; else it is only looked at.
    pub act: bool,
}

/// What a rollback would do, or has done.
#[derive(Debug)]
pub struct RolledBack {
    /// The migrations, the last applied first.
    pub migrations: Vec<String>,
    /// Statements that take data with them.
    pub losses: Vec<sql::Problem>,
    /// The deployment that records it; `None` where it was only looked at.
    pub deployment: Option<i64>,
    /// What fell short.
    pub warnings: Vec<Warning>,
}

/// Takes back every migration above a version by its stored down text.
///
/// # Errors
/// Refused before anything is touched where one of them has no way back, or where data would be lost and that was not
/// allowed.
pub async fn rollback(
    request: &Request,
    to: RollbackTo<'_>,
    observer: Observer<'_>,
    stop: &CancellationToken,
) -> Result<RolledBack, Failure> {
    let (recorder, records) = Recorder::new(&request.environment, observer);
    let (mut session, lock) = reach::locked(request, &recorder).await?;
    // The release's files do not count: what is applied knows its own way back.
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let found =
        schema::plan_rollback(&mut session, to.version, &request.ledger).await.map_err(Failure::session)?;
    refuse(&found, &to)?;
    let migrations: Vec<String> = found.steps.iter().map(|undo| undo.migration.clone()).collect();
    if !to.act || found.is_empty() {
        return Ok(RolledBack { migrations, losses: found.losses, deployment: None, warnings: Vec::new() });
    }
    services::ask(request.services.as_ref(), &mut session).await?;
    // It hears the signal itself, where it can end cleanly.
    let act = Act { request, lock: &lock, plan: &plan, recorder, records, stop: CancellationToken::new() };
    let (number, warnings) = act
        .run(async |row, recorder| {
            recorder.record(DeployEvent::RollingBack { to: to.version, reason: to.reason.to_owned() });
            if let Err(mut failure) = services::stop(request, row, recorder, stop).await {
                // Nothing is taken back yet.
                if let Err(second) = services::start(request, row, recorder, stop).await {
                    failure.evidence.push(format!("{}: {}", second.code, second.message));
                }
                failure.evidence.push(row.services.in_words().to_owned());
                return Err(failure);
            }
            let events = |event| recorder.record(Event::Schema(event));
            let stage = Stage {
                lock: &lock,
                ledger: &request.ledger,
                deployment: row.number,
                events: &events,
                stop: stop.clone(),
            };
            let result = schema::rollback(&stage, &found, to.reason, &request.schema).await;
            let (undone, failed) = match result {
                Ok(undone) => (undone, None),
                Err(error) => (error.applied.clone(), Some(error)),
            };
            for done in &undone {
                row.undone(&done.migration).await.map_err(Failure::session)?;
            }
            // What others may deploy by it is less now.
            let unwritten = gate::write_receipt(request, &mut session, row.number, false).await;
            unwritten.iter().for_each(|warning| recorder.record(DeployEvent::from(warning)));
            // Half way the application may fit neither schema: then a person decides.
            let whole = failed.is_none() || undone.is_empty();
            if request.services.is_some() && whole {
                services::start(request, row, recorder, stop).await?;
            }
            failed.map_or(Ok(unwritten.into_iter().collect()), |error| {
                Err(Failure::rollback(error, found.steps.len(), !whole && request.services.is_some()))
            })
        })
        .await?;
    lock.release().await;
    Ok(RolledBack { migrations, losses: found.losses, deployment: Some(number), warnings })
}

fn refuse(found: &Rollback, to: &RollbackTo<'_>) -> Result<(), Failure> {
    if !found.without.is_empty() {
        return Err(Failure::no_way_back(&found.without));
    }
    if !found.losses.is_empty() && !to.allow_data_loss && to.act {
        return Err(Failure::data_loss(found.losses.clone()));
    }
    Ok(())
}
