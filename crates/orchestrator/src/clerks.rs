//! The sessions that a deploy writes its account through.

use postgres::{Clerk, RunLock};

use crate::failure::Failure;
use crate::plan::Plan;
use crate::request::Request;

/// Who writes the deployment's row, and who its journal.
pub(crate) struct Clerks {
    pub(crate) row: Clerk,
    pub(crate) journal: Clerk,
}

/// Their sessions; where connections are scarce, or there is little to write, both have one. Where migrations are to be
/// applied, the session for them is got ready too.
pub(crate) async fn clerks(request: &Request, lock: &RunLock, plan: &Plan) -> Result<Clerks, Failure> {
    if let Some(shared) = lock.shared() {
        return Ok(Clerks { row: shared.clone(), journal: shared });
    }
    if request.frugal || plan.is_empty() {
        let clerk = Clerk::new(lock.session("ledger").await.map_err(Failure::session)?);
        lock.share(clerk.clone());
        return Ok(Clerks { row: clerk.clone(), journal: clerk });
    }
    let opened = tokio::try_join!(lock.session("ledger"), lock.session("journal"), async {
        match plan.changes_schema() {
            true => lock.session("schema").await.map(Some),
            false => Ok(None),
        }
    });
    let (row, journal, schema) = opened.map_err(Failure::session)?;
    schema.into_iter().for_each(|schema| lock.lend(schema));
    Ok(Clerks { row: Clerk::new(row), journal: Clerk::new(journal) })
}
