//! Getting to the database: patiently, and only to one that can be deployed to.

use postgres::{Row, Session, query};

use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::record::Recorder;
use crate::request::Request;

/// A writable session with a server that is ready, not behind a transaction pooler, and whose ledger we understand.
pub(crate) async fn for_writing(request: &Request, recorder: &Recorder<'_>) -> Result<Session, Failure> {
    let told = |attempt: postgres::wait::Attempt<'_>| {
        recorder.record(DeployEvent::ConnectRetrying {
            attempt: attempt.number,
            reason: attempt.reason.to_owned(),
            retry_in_ms: u64::try_from(attempt.retry_in.as_millis()).unwrap_or(u64::MAX),
        });
    };
    let mut session =
        postgres::wait::until_ready(&request.target, &request.patience, told).await.map_err(Failure::wait)?;
    postgres::fitness::check(&mut session).await.map_err(Failure::unfit)?;
    session.bounded().await.map_err(Failure::session)?;
    understood(&mut session, request).await?;
    Ok(session)
}

/// A session that cannot write, at once or not at all: what `plan` and `status` look through. A standby will do.
pub(crate) async fn for_reading(request: &Request) -> Result<Session, Failure> {
    let mut session = request.target.connect_read_only("status").await.map_err(Failure::session)?;
    session.bounded().await.map_err(Failure::session)?;
    understood(&mut session, request).await?;
    Ok(session)
}

/// The ledger is not from a newer tool, and not another pipeline's.
async fn understood(session: &mut Session, request: &Request) -> Result<(), Failure> {
    let ledger = &request.ledger;
    postgres::ledger::check_version(session, ledger, &crate::ledger::COMPONENTS)
        .await
        .map_err(Failure::session)?;
    if !postgres::ledger::exists(session, ledger).await.map_err(Failure::session)? {
        return Ok(());
    }
    let text =
        format!("SELECT pipeline FROM {}.deployments WHERE pipeline <> $1 LIMIT 1", sql::identifier(ledger));
    let other = query(&text).bind(&request.pipeline).fetch_optional(session.connection()).await;
    match other.map_err(postgres::Error::from).map_err(Failure::session)? {
        Some(row) => {
            let name: String = row.try_get(0).map_err(postgres::Error::from).map_err(Failure::session)?;
            Err(Failure::other_pipeline(&name, ledger))
        }
        None => Ok(()),
    }
}
