//! Where an environment stands: read only, by the same reading as a deploy.

use chrono::{DateTime, Utc};
use postgres::{Error, Row, Session, query};
use serde::Serialize;

use crate::deployment::UNPROVEN;
use crate::failure::Failure;
use crate::gate;
use crate::plan::Plan;
use crate::plan_report::{BackfillPlan, IndexPlan, SchemaPlan, told};
use crate::reach;
use crate::request::Request;

/// Where an environment stands.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Status {
    /// Version of this format.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Host, port and database.
    pub target: String,
    /// How the connection is encrypted.
    pub tls: Option<String>,
    /// Server version.
    pub server: String,
    /// Hash of the release in the files.
    pub release: String,
    /// Whether a deploy would have nothing to do, nothing contradicts the history, and what was changed is proven.
    pub up_to_date: bool,
    /// Contradictions between history and files.
    pub findings: Vec<String>,
    /// Stage 1.
    pub schema: SchemaPlan,
    /// Stage 2.
    pub index: IndexPlan,
    /// Stage 3.
    pub backfill: BackfillPlan,
    /// The newest deployment.
    pub last: Option<LastDeployment>,
    /// The holds that are on, for people.
    pub holds: Vec<String>,
}

/// The newest deployment of a database.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct LastDeployment {
    /// Its number.
    pub number: i64,
    /// `running`, `succeeded`, `warnings`, `failed`, `interrupted`; `died` for one that says it runs and holds no lock.
    pub status: String,
    /// Who.
    pub actor: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The exit code of its process.
    pub exit: Option<i32>,
    /// The services, as far as it knows: `untouched`, `stopping`, `stopped`, `started`.
    pub services: String,
    /// Whether something was changed, by it or before it, and `verify` and the hooks at the end have not passed since.
    pub unproven: bool,
}

/// Reads where an environment stands, and the findings of its history as problems with their places.
pub async fn status(request: &Request) -> Result<(Status, Vec<sql::Problem>), Failure> {
    let mut session = reach::for_reading(request).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let last = last(&mut session, request).await.map_err(Failure::session)?;
    let status = Status {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        target: request.target.to_string(),
        tls: session.tls().await.map_err(Failure::session)?,
        server: session.version().to_owned(),
        release: request.release.hash.clone(),
        up_to_date: plan.is_empty()
            && plan.schema.findings.is_empty()
            && !last.as_ref().is_some_and(|last| last.unproven),
        findings: told(&plan.schema.findings),
        schema: SchemaPlan::of(&plan.schema),
        index: IndexPlan { items: plan.index.items().to_vec() },
        backfill: BackfillPlan { items: plan.backfill.items().to_vec(), preflight: Vec::new() },
        last,
        holds: gate::that_are_on(&mut session, request).await.map_err(Failure::session)?,
    };
    session.close().await;
    Ok((status, plan.schema.findings))
}

pub(crate) async fn last(session: &mut Session, request: &Request) -> Result<Option<LastDeployment>, Error> {
    if !postgres::ledger::exists(session, &request.ledger).await? {
        return Ok(None);
    }
    let key = postgres::LockKey::of(&request.ledger, &request.pipeline);
    // A row that says "running" is believed only while somebody holds the lock.
    let text = format!(
        "SELECT number, CASE WHEN status = 'running' AND NOT {} THEN 'died' ELSE status END, actor, started_at, finished_at, exit_code, services, \
           {UNPROVEN} IS TRUE \
         FROM {}.deployments d WHERE pipeline = $1 ORDER BY number DESC LIMIT 1",
        key.is_held(),
        sql::identifier(&request.ledger)
    );
    let row = query(&text).bind(&request.pipeline).fetch_optional(session.connection()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(LastDeployment {
        number: row.try_get(0)?,
        status: row.try_get(1)?,
        actor: row.try_get(2)?,
        started_at: row.try_get(3)?,
        finished_at: row.try_get(4)?,
        exit: row.try_get(5)?,
        services: row.try_get(6)?,
        unproven: row.try_get(7)?,
    }))
}
