//! The ledger ahead of the first deploy, and the rights of those who use it beside the role that deploys.
//!
//! Whoever makes the ledger owns it, and only its owner can add the tables of a later release: so it is never made by
//! somebody who comes by to approve or to stop something.

use postgres::ledger::Component;
use postgres::{RunLock, Session};

use crate::failure::{Failure, Verdict};
use crate::ledger::{COMPONENTS, needed};
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// Roles other than the one that deploys.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// They may approve, and place and lift holds.
    pub approvers: &'a [String],
    /// They may read: `wait`, `status`, a dashboard.
    pub readers: &'a [String],
}

/// Makes the ledger, or brings it up to date, as the role that will deploy, and grants what others need. Can be run again
/// at any time. Returns the grants as they were run.
pub async fn create_ledger(request: &Request, beside: Beside<'_>) -> Result<Vec<String>, Failure> {
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let (mut session, lock) = reach::locked(request, &recorder).await?;
    let grants = grants(request, beside);
    let made = async {
        bootstrap(request, &mut session, &lock).await?;
        session.run(&format!("BEGIN; {}; COMMIT", grants.join("; "))).await.map_err(Failure::session)
    }
    .await;
    session.close().await;
    lock.release().await;
    made.map(|_| grants)
}

fn grants(request: &Request, beside: Beside<'_>) -> Vec<String> {
    let ledger = sql::identifier(&request.ledger);
    let reads = |role: &str| {
        [
            format!("GRANT USAGE ON SCHEMA {ledger} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {ledger} TO {role}"),
            // For the tables of stages that are used later for the first time.
            format!("ALTER DEFAULT PRIVILEGES IN SCHEMA {ledger} GRANT SELECT ON TABLES TO {role}"),
        ]
    };
    let writes = |role: &str| format!("GRANT INSERT, UPDATE ON {ledger}.approvals, {ledger}.holds TO {role}");
    let readers = beside.readers.iter().map(|role| sql::identifier(role));
    let approvers = beside.approvers.iter().map(|role| sql::identifier(role));
    let reading = readers.flat_map(|role| reads(&role));
    reading.chain(approvers.flat_map(|role| reads(&role).into_iter().chain([writes(&role)]))).collect()
}

/// Creates the ledger's tables that the release needs, and brings up to date what is there.
pub(crate) async fn bootstrap(
    request: &Request,
    session: &mut Session,
    lock: &RunLock,
) -> Result<(), Failure> {
    bootstrap_with(request, session, lock, &needed(&request.release)).await
}

/// The same where these components are what is needed.
pub(crate) async fn bootstrap_with(
    request: &Request,
    session: &mut Session,
    lock: &RunLock,
    needed: &[Component],
) -> Result<(), Failure> {
    postgres::ledger::bootstrap(lock, session, &request.ledger, &request.tool_version, needed, &COMPONENTS)
        .await
        .map_err(Failure::session)
}

/// Refuses where there is no ledger yet.
pub(crate) async fn is_there(request: &Request, session: &mut Session) -> Result<(), Failure> {
    if postgres::ledger::exists(session, &request.ledger).await.map_err(Failure::session)? {
        return Ok(());
    }
    let message = format!("{} has no ledger yet, and whoever makes it owns it", request.environment);
    Err(Failure::new(Verdict::Unusable, "E425", message)
        .next("let the role that deploys make it: pgdeploy ledger create --env {env} [--approver ROLE]"))
}
