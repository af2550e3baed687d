//! Getting to the database: patiently, and only to one that can be deployed to.

use std::sync::atomic::{AtomicBool, Ordering};

use postgres::fitness::SECOND;
use postgres::{LockKey, Row, RunLock, Session, query};
use tokio_util::sync::CancellationToken;

use crate::event::DeployEvent;
use crate::failure::{Failure, Verdict};
use crate::record::Recorder;
use crate::request::Request;

/// A writable session with a server that is ready, not behind a transaction pooler, and whose ledger we understand.
pub(crate) async fn for_writing(request: &Request, recorder: &Recorder<'_>) -> Result<Session, Failure> {
    let (session, second) = both(request, recorder).await?;
    second.close().await;
    Ok(session)
}

/// The same and the run lock: what a change of the history needs.
pub(crate) async fn locked(
    request: &Request,
    recorder: &Recorder<'_>,
) -> Result<(Session, RunLock), Failure> {
    let (session, second) = both(request, recorder).await?;
    Ok((session, take_lock(request, recorder, second).await?))
}

/// Two sessions, since a pooler is not seen from one.
async fn both(request: &Request, recorder: &Recorder<'_>) -> Result<(Session, Session), Failure> {
    in_private(request)?;
    let waited = AtomicBool::new(false);
    let told = |attempt: postgres::wait::Attempt<'_>| {
        waited.store(true, Ordering::Relaxed);
        recorder.record(DeployEvent::ConnectRetrying {
            attempt: attempt.number,
            reason: attempt.reason.to_owned(),
            retry_in_ms: u64::try_from(attempt.retry_in.as_millis()).unwrap_or(u64::MAX),
        });
    };
    // Both at once. Where the first was waited for, the second is opened anew: the address may be another server's by now,
    // and the run lock must not be on the one that was there before.
    let (first, second) = tokio::join!(
        postgres::wait::until_ready(&request.target, &request.patience, told),
        request.target.connect(SECOND)
    );
    let mut session = first.map_err(Failure::wait)?;
    let second =
        postgres::fitness::check(&mut session, second.ok().filter(|_| !waited.load(Ordering::Relaxed)))
            .await
            .map_err(Failure::unfit)?;
    session.bounded().await.map_err(Failure::session)?;
    understood(&mut session, request).await?;
    Ok((session, second))
}

/// An environment with gates is worth listening to: a way to it on which others could is not taken.
fn in_private(request: &Request) -> Result<(), Failure> {
    if !request.gated || !request.target.may_be_in_clear() {
        return Ok(());
    }
    let (name, target) = (&request.environment, &request.target);
    let message = format!("{name} has gates, and its URL lets the connection to {target} go without TLS");
    Err(Failure::new(Verdict::Unusable, "E417", message)
        .next("leave sslmode out of the URL, or write sslmode=require or verify-full"))
}

/// Takes the run lock in a session that is there for it, waiting for another deploy as long as the pipeline allows.
pub(crate) async fn take_lock(
    request: &Request,
    recorder: &Recorder<'_>,
    session: Session,
) -> Result<RunLock, Failure> {
    let key = LockKey::of(&request.ledger, &request.pipeline);
    let waiting = |holder: &postgres::Holder| {
        recorder.record(DeployEvent::LockWaiting {
            pid: holder.pid,
            host: holder.host.clone(),
            age_ms: u64::try_from(holder.age.as_millis()).unwrap_or(u64::MAX),
        });
    };
    RunLock::acquire_in(session, key, request.lock_wait, waiting).await.map_err(Failure::lock)
}

/// [`locked`], unless a stop is asked for before.
pub(crate) async fn to_act(
    request: &Request,
    recorder: &Recorder<'_>,
    stop: &CancellationToken,
) -> Result<(Session, RunLock), Failure> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::interrupted("interrupted before anything was touched")),
        reached = locked(request, recorder) => reached,
    }
}

/// A session that cannot write, at once or not at all: what `plan` and `status` look through. A standby will do.
pub(crate) async fn for_reading(request: &Request) -> Result<Session, Failure> {
    in_private(request)?;
    let mut session = request.target.connect_read_only("status").await.map_err(Failure::session)?;
    session.bounded().await.map_err(Failure::session)?;
    understood(&mut session, request).await?;
    Ok(session)
}

/// The ledger is not from a newer tool, and not another pipeline's.
async fn understood(session: &mut Session, request: &Request) -> Result<(), Failure> {
    let ledger = &request.ledger;
    let missing = postgres::ledger::missing_tables(session, ledger, &crate::ledger::COMPONENTS);
    let Some(missing) = missing.await.map_err(Failure::session)? else { return Ok(()) };
    if !missing.is_empty() {
        return Err(Failure::damaged(format!("{} {} not there", missing.join(", "), is(missing.len()))));
    }
    let text = format!(
        "SELECT pipeline FROM {}.deployments WHERE pipeline <> {} LIMIT 1",
        sql::identifier(ledger),
        sql::literal(&request.pipeline)
    );
    match session.answer(&text).await.map_err(Failure::session)? {
        Some(row) => {
            let name: String = row.try_get(0).map_err(postgres::Error::from).map_err(Failure::session)?;
            Err(Failure::other_pipeline(&name, ledger))
        }
        None => Ok(()),
    }
}

fn is(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// Whether a deploy could make the ledger where there is none: told by a plan, before it fails a deploy.
pub(crate) async fn may_create_ledger(session: &mut Session, request: &Request) -> Result<(), Failure> {
    if postgres::ledger::exists(session, &request.ledger).await.map_err(Failure::session)? {
        return Ok(());
    }
    let text = "SELECT current_user::text, current_database()::text, n.oid IS NOT NULL, \
         CASE WHEN n.oid IS NULL THEN pg_catalog.has_database_privilege(current_database(), 'CREATE') \
           ELSE pg_catalog.has_schema_privilege(n.oid, 'CREATE') END \
         FROM (SELECT) one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1";
    let row = query(text).bind(&request.ledger).fetch_one(session.connection()).await;
    let (role, database, has_schema, may): (String, String, bool, bool) = row
        .and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)))
        .map_err(postgres::Error::from)
        .map_err(Failure::session)?;
    if may {
        return Ok(());
    }
    let (ledger, to) = (sql::identifier(&request.ledger), sql::identifier(&role));
    let (what, grant) = match has_schema {
        true => {
            (format!("tables in the schema {ledger}"), format!("GRANT CREATE ON SCHEMA {ledger} TO {to}"))
        }
        false => {
            let database = sql::identifier(&database);
            let what = format!("the ledger's schema {ledger} in the database {database}");
            (what, format!("GRANT CREATE ON DATABASE {database} TO {to}"))
        }
    };
    Err(Failure::may_not_create(&role, &what, &grant))
}
