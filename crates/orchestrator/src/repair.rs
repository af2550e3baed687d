//! Mending one migration's place in the history.

use schema::{Proposal, Repair, RepairError};

use crate::act::Act;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;
use tokio_util::sync::CancellationToken;

/// What a repair would do, or has done.
#[derive(Debug)]
pub struct Repaired {
    /// File name without ending.
    pub migration: String,
    /// What changes, a sentence each.
    pub effect: Vec<String>,
    /// The deployment that records it; `None` where it was only looked at.
    pub deployment: Option<i64>,
}

/// Mends the history of one migration, recorded with the reason. Refused where the history or the catalog contradicts.
/// Without `act` it only says what it would do.
pub async fn repair(
    request: &Request,
    version: u64,
    repair: Repair,
    reason: &str,
    act: bool,
    stop: &CancellationToken,
) -> Result<Repaired, Failure> {
    let (recorder, records) = Recorder::new(&request.environment, &|_| {});
    let (mut session, lock) = reach::to_act(request, &recorder, stop).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let (migrations, ledger) = (&request.release.migrations, &request.ledger);
    let proposal = schema::propose(&mut session, migrations, version, repair, ledger, &request.schema)
        .await
        .map_err(refused)?;
    let Proposal { migration, effect, .. } = proposal.clone();
    if !act {
        return Ok(Repaired { migration, effect, deployment: None });
    }
    let file = migrations.0.iter().find(|file| file.id() == migration);
    let takes_the_files = matches!(repair, Repair::MarkApplied | Repair::AcceptChecksum);
    let checksum = file.filter(|_| takes_the_files).map(|file| file.source.sha256.clone());
    let act = Act { request, lock: &lock, plan: &plan, recorder, records, stop: stop.clone() };
    let (number, ()) = act
        .run(async |row, recorder| {
            schema::repair(&lock, &proposal, reason, row.number).await.map_err(Failure::session)?;
            if proposal.undone {
                row.undone(&proposal.migration).await.map_err(Failure::session)?;
            }
            let checksum = checksum.clone();
            let (migration, effect, reason) = (migration.clone(), effect.join("; "), reason.to_owned());
            recorder.record(DeployEvent::Repaired { migration, effect, checksum, reason });
            Ok(())
        })
        .await?;
    lock.release().await;
    Ok(Repaired { migration, effect, deployment: Some(number) })
}

fn refused(error: RepairError) -> Failure {
    match error {
        RepairError::Refused { message, evidence } => Failure::repair(message, evidence),
        RepairError::Session(error) => Failure::session(error),
    }
}
