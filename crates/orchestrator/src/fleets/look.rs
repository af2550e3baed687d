//! A look at one database: whether it has the release. One connection, which cannot write.

use std::time::{Duration, Instant};

use postgres::{Error, Row, Session, query};

use super::one;
use crate::deployment::UNPROVEN;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::reach;
use crate::request::Request;

/// What is found.
#[derive(Debug)]
pub(super) enum Look {
    /// A deploy would have nothing to do.
    UpToDate,
    /// It would have this to do.
    Work(Work),
    /// That cannot be told; how long it took to find that out.
    Unknown(Failure, Duration),
}

/// What a deploy would have to do.
#[derive(Debug)]
pub(super) struct Work {
    /// A line each, such as `schema 0001_a`.
    pub(super) items: Vec<String>,
    /// The most connections that it may need at once.
    pub(super) connections: usize,
    /// Why it would be refused.
    pub(super) refused: Option<(String, String)>,
}

/// The lock, the one that keeps the ledger, and one that has been closed and that the server has not let go of yet.
const ALWAYS: usize = 3;
/// The migration's session; who blocks it is seen by the one that keeps the ledger.
pub(super) const SCHEMA: usize = 1 + ALWAYS;
/// The session that has the plan, the one that prepares a build, the build and its monitor.
const INDEX: usize = 4 + ALWAYS;
/// The session that has the plan, the run, two monitors and the patrol; the workers come on top.
const BACKFILL: usize = 5 + ALWAYS;

/// Looks, for as long as the pipeline waits for a database.
pub(super) async fn at(request: &Request) -> Look {
    let started = Instant::now();
    let most = request.patience.wait.max(Duration::from_secs(1));
    match tokio::time::timeout(most, look(request)).await {
        Ok(Ok(look)) => look,
        Ok(Err(failure)) => Look::Unknown(failure, started.elapsed()),
        Err(_) => {
            let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer");
            Look::Unknown(Failure::session(Error::Connection(silent)), started.elapsed())
        }
    }
}

async fn look(request: &Request) -> Result<Look, Failure> {
    let mut session = reach::for_reading(request).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let has_ended = has_ended(&mut session, request).await.map_err(Failure::session)?;
    session.close().await;
    if plan.is_empty() && plan.schema.findings.is_empty() && has_ended {
        return Ok(Look::UpToDate);
    }
    let workers = usize::try_from(request.backfill.workers).unwrap_or(1);
    let builds = plan.index.pending().next().map_or(0, |_| INDEX);
    let fills = plan.backfill.pending().next().map_or(0, |_| BACKFILL + workers);
    Ok(Look::Work(Work {
        items: plan.items().to_vec(),
        connections: SCHEMA.max(builds).max(fills),
        refused: plan.refuse().err().map(|failure| (failure.code.to_owned(), one::told(&failure))),
    }))
}

/// Whether its last deploy has said how it ended, and has been verified: what is left of that is the next one's.
async fn has_ended(session: &mut Session, request: &Request) -> Result<bool, Error> {
    if !postgres::ledger::exists(session, &request.ledger).await? {
        return Ok(true);
    }
    let text = format!(
        "SELECT d.status <> 'running' AND NOT coalesce({UNPROVEN}, false) FROM {}.deployments d \
         WHERE pipeline = $1 ORDER BY number DESC LIMIT 1",
        sql::identifier(&request.ledger)
    );
    let last = query(&text).bind(request.pipeline.clone()).fetch_optional(session.connection()).await?;
    last.map_or(Ok(true), |row| Ok(row.try_get(0)?))
}
