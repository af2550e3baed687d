//! Adopting a database: the history that a person vouches for.

use postgres::{RunLock, Session};
use tokio_util::sync::CancellationToken;

use crate::act::Act;
use crate::event::DeployEvent;
use crate::failure::{Failure, counted};
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// What a baseline would do, or has done.
#[derive(Debug)]
pub struct Baseline {
    /// The files that are taken to be in the database, oldest first.
    pub migrations: Vec<String>,
    /// The deployment that records it; `None` where it was only looked at.
    pub deployment: Option<i64>,
}

/// Stamps every migration up to `version` as being in the database, without running it; without a version none, which says
/// that what is there is somebody else's. Refused where the database has a history, or where its catalog does not hold what the files make. Without `act` it only says what it would do.
pub async fn baseline(
    request: &Request,
    version: Option<u64>,
    reason: &str,
    act: bool,
    stop: &CancellationToken,
) -> Result<Baseline, Failure> {
    let covered = match version {
        None => &[][..],
        Some(version) => schema::covered(&request.release.migrations, version).ok_or_else(|| {
            Failure::baseline(format!("no file in the release has version {version}"), Vec::new())
        })?,
    };
    let (recorder, records) = Recorder::new(&request.environment, &|_| {});
    let (mut session, lock) = reach::to_act(request, &recorder, stop).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    if plan.schema.applied > 0 {
        let message = format!(
            "the database has a history already: {} in it",
            counted(plan.schema.applied, "migration")
        );
        return Err(Failure::baseline(message, Vec::new()));
    }
    agrees(&mut session, request, covered).await?;
    let migrations = covered.iter().map(|migration| migration.id().to_owned()).collect();
    if !act {
        return Ok(Baseline { migrations, deployment: None });
    }
    let act = Act { request, lock: &lock, plan: &plan, recorder, records, stop: stop.clone() };
    let deployment = Some(stamp(act, covered, reason).await?);
    lock.release().await;
    Ok(Baseline { migrations, deployment })
}

/// `when_unmanaged: baseline`: every file counts as applied, unless the catalog says otherwise.
pub(crate) async fn adopt(
    request: &Request,
    session: &mut Session,
    lock: &RunLock,
    plan: &Plan,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let covered = &request.release.migrations.0;
    agrees(session, request, covered).await?;
    let (recorder, records) = Recorder::new(&request.environment, &|_| {});
    let act = Act { request, lock, plan, recorder, records, stop: stop.clone() };
    stamp(act, covered, "stages.schema.when_unmanaged: baseline").await.map(drop)
}

async fn stamp(act: Act<'_>, covered: &[schema::Migration], reason: &str) -> Result<i64, Failure> {
    let (request, lock) = (act.request, act.lock);
    let (number, ()) = act
        .run(async |row, recorder| {
            schema::baseline(lock, covered, &request.ledger, row.number).await.map_err(Failure::session)?;
            row.have_had(request, &covered.iter().collect::<Vec<_>>()).await?;
            if covered.is_empty() {
                row.vouched().await.map_err(Failure::session)?;
            }
            let at = covered.last().map(|migration| migration.id().to_owned()).unwrap_or_default();
            recorder.record(DeployEvent::Baselined {
                at,
                migrations: covered.len(),
                reason: reason.to_owned(),
            });
            Ok(())
        })
        .await?;
    Ok(number)
}

/// The catalog holds what the files make, as far as their text says.
async fn agrees(
    session: &mut Session,
    request: &Request,
    covered: &[schema::Migration],
) -> Result<(), Failure> {
    let claims = schema::Claims::of(covered.iter().map(|migration| &migration.source));
    let path = request.schema.search_path.as_deref();
    let evidence = claims.contradicted(session, path).await.map_err(Failure::session)?;
    if evidence.is_empty() {
        return Ok(());
    }
    Err(Failure::baseline("the database is not where these files lead: its catalog says otherwise", evidence))
}
