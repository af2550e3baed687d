//! A plan as it is told: to people, to programs, to a file that is approved.

use std::ops::Range;
use std::path::PathBuf;

use postgres::{Error, Session};
use serde::Serialize;
use sql::Problem;

use crate::failure::Failure;
use crate::gate::{self, GateAnswer};
use crate::iron_rule;
use crate::plan::Plan;
use crate::reach;
use crate::request::Request;

/// A plan for people and programs: `pgdeploy plan`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct PlanReport {
    /// Version of this format.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Host, port and database.
    pub target: String,
    /// Server version.
    pub server: String,
    /// Hash of the release.
    pub release: String,
    /// Hash of the plan.
    pub plan: String,
    /// What would be done, in this order.
    pub items: Vec<String>,
    /// What the environment's gates say now.
    pub gates: Vec<GateAnswer>,
    /// How the connection is encrypted.
    pub tls: Option<String>,
    /// Whether a deploy would have anything to do.
    pub changes: bool,
    /// Whether the deploy would stop the services.
    pub stops_services: bool,
    /// Stage 1.
    pub schema: SchemaPlan,
    /// Stage 2.
    pub index: IndexPlan,
    /// Stage 3.
    pub backfill: BackfillPlan,
    /// Changes of rows in pending migrations that a person answers for, with their bytes in their files.
    #[serde(skip)]
    pub accepted_rows: Vec<(PathBuf, Range<usize>)>,
}

/// Stage 1 of a plan.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct SchemaPlan {
    /// How many migrations are in.
    pub applied: usize,
    /// The newest of them.
    pub current: Option<String>,
    /// What would be applied, in this order.
    pub pending: Vec<String>,
    /// What of it comes at the end, after the services are back.
    pub post: Vec<String>,
    /// What waits for something.
    pub deferred: Vec<DeferredPlan>,
    /// The file of rows that would be loaded.
    pub fixtures: Option<String>,
    /// The snapshot that would be loaded, and how many files it stands for.
    pub snapshot: Option<(String, usize)>,
    /// Warnings and hints of the guard; `plan` only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A migration that waits for something.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct DeferredPlan {
    /// File name without ending.
    pub migration: String,
    /// What it waits for.
    pub reason: String,
}

impl DeferredPlan {
    fn of(deferred: &schema::Deferred) -> Self {
        Self { migration: deferred.migration.id().to_owned(), reason: deferred.reason.clone() }
    }
}

/// Stage 2 of a plan.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct IndexPlan {
    /// Every declared index with its state and what would be done.
    pub items: Vec<index::Item>,
}

/// Stage 3 of a plan.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct BackfillPlan {
    /// Every backfill with its state.
    pub items: Vec<backfill::Item>,
    /// What the runs of those that are pending would be like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preflight: Vec<backfill::Preflight>,
}

impl SchemaPlan {
    pub(crate) fn of(plan: &schema::Plan) -> Self {
        Self {
            applied: plan.applied,
            current: plan.current.clone(),
            pending: plan.pending.iter().map(|migration| migration.id().to_owned()).collect(),
            post: plan.pending_in(schema::Phase::Post).map(|migration| migration.id().to_owned()).collect(),
            deferred: plan.deferred.iter().map(DeferredPlan::of).collect(),
            fixtures: plan.fixtures.as_ref().map(schema::Fixtures::path),
            snapshot: plan
                .snapshot
                .as_ref()
                .map(|snapshot| (snapshot.source.path.display().to_string(), snapshot.covered.len())),
            notes: Vec::new(),
        }
    }
}

/// Says what a deploy would do, and what would refuse it. Reads only, without the run lock.
pub async fn plan(request: &Request) -> Result<PlanReport, Failure> {
    let mut session = reach::for_reading(request).await?;
    reach::may_create_ledger(&mut session, request).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    plan.refuse()?;
    let judged = iron_rule::ask(request, &plan.schema, &mut session).await?;
    let looked = gate::look(request, &plan, &mut session).await?;
    gate::unreached(&looked, &request.gates)?;
    let tls = session.tls().await.map_err(Failure::session)?;
    let report = PlanReport {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        target: request.target.to_string(),
        server: session.version().to_owned(),
        release: request.release.hash.clone(),
        plan: plan.hash.clone(),
        items: plan.items().to_vec(),
        gates: looked.answers.iter().map(gate::Answer::told).collect(),
        tls,
        changes: !plan.is_empty(),
        stops_services: request.services.is_some() && plan.changes_schema(),
        schema: SchemaPlan { notes: told(&judged.notes), ..SchemaPlan::of(&plan.schema) },
        index: IndexPlan { items: plan.index.items().to_vec() },
        backfill: BackfillPlan {
            items: plan.backfill.items().to_vec(),
            preflight: preflight(&mut session, &plan, request).await.map_err(Failure::session)?,
        },
        accepted_rows: judged.accepted_rows,
    };
    session.close().await;
    Ok(report)
}

/// A look at each pending backfill whose table is there.
async fn preflight(
    session: &mut Session,
    plan: &Plan,
    request: &Request,
) -> Result<Vec<backfill::Preflight>, Error> {
    let (definitions, mut all) = (&request.release.backfills, Vec::new());
    for item in plan.backfill.pending().filter(|item| item.waiting_for.is_none()) {
        let looked =
            backfill::preflight(session, definitions, &item.id, &request.ledger, &request.backfill).await?;
        all.extend(looked.ok());
    }
    Ok(all)
}

/// Findings of a plan as text, for status.
pub(crate) fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
