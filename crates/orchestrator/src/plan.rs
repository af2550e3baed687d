//! What a deploy would do: the same reading for `plan`, `status` and `deploy`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use postgres::{Error, Row, Session};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sql::Problem;

use crate::contract;
use crate::failure::Failure;
use crate::gate::{self, GateAnswer};
use crate::iron_rule;
use crate::reach;
use crate::release::Release;
use crate::request::Request;

/// The three stages' plans for one database at one moment.
pub struct Plan {
    /// Stage 1.
    pub schema: schema::Plan,
    /// The backfills that migrations wait for.
    pub(crate) backfills: schema::Backfills,
    /// Stage 2.
    pub index: index::Plan,
    /// Stage 3.
    pub backfill: backfill::Plan,
    /// SHA-256 over the release and what of it is pending here.
    pub hash: String,
    items: Vec<String>,
}

impl Plan {
    /// Reads the database and decides. Reads only.
    pub(crate) async fn read(session: &mut Session, request: &Request) -> Result<Self, Error> {
        let release = &request.release;
        let ledger = &request.ledger;
        let backfills = contract::backfills(session, request).await?;
        let files = schema::Files {
            migrations: &release.migrations,
            fixtures: release.fixtures.as_ref(),
            snapshot: release.snapshot.as_ref(),
        };
        let schema = schema::plan(session, &files, ledger, &request.schema, &backfills).await?;
        // What else is in the database that keeps account of a fleet is none of the release's business.
        let state =
            schema.state.map(|found| request.fleet.as_ref().map_or(found, |_| schema::State::Managed));
        let schema = schema::Plan { state, ..schema };
        let schema = schema::Plan { state: vouched(session, ledger, schema.state).await?, ..schema };
        let index = index::plan(session, &release.indexes, &request.index, ledger).await?;
        let index = contract::without_waiting(session, request, index).await?;
        let backfill = backfill::plan(session, &release.backfills, ledger).await?;
        let items = items(&schema, &index, &backfill);
        let hash = hash(&release.hash, &schema, &index, &items);
        Ok(Self { schema, backfills, index, backfill, hash, items })
    }

    /// Whether there is nothing to do in any stage.
    pub fn is_empty(&self) -> bool {
        self.schema.is_empty()
            && self.index.pending().next().is_none()
            && self.backfill.pending().next().is_none()
    }

    /// Whether the schema changes before the stages that follow it, so that services have to be down.
    pub(crate) fn changes_schema(&self) -> bool {
        self.schema.snapshot.is_some() || self.schema.pending_in(schema::Phase::Pre).next().is_some()
    }

    /// Whether migrations run, before the other stages or after them.
    pub(crate) fn applies_migrations(&self) -> bool {
        self.schema.snapshot.is_some() || !self.schema.pending.is_empty()
    }

    /// What would be done, a line each: `schema 0001_a`.
    pub(crate) fn items(&self) -> &[String] {
        &self.items
    }

    /// Whether a file of the release is among what would be done.
    pub(crate) fn names_file(&self, release: &Release, path: &Path) -> bool {
        let mut migrations = self.schema.pending.iter().map(|migration| migration.source.path.as_path());
        let mut indexes = self.index.pending().filter_map(|item| release.path_of_index(&item.name));
        let mut backfills = self.backfill.pending().filter_map(|item| release.path_of_backfill(&item.id));
        migrations.any(|one| one == path)
            || indexes.any(|one| one == path)
            || backfills.any(|one| one == path)
    }

    /// The first six digits of the hash: what people are shown.
    pub fn short_hash(&self) -> &str {
        &self.hash[..6]
    }

    /// What forbids the deploy before anything is touched, worst first: a history that contradicts the files, then files
    /// that cannot be run.
    pub(crate) fn refuse(&self) -> Result<(), Failure> {
        // An empty release has nothing to run on the wrong database.
        if let Some(state) = self.schema.state.as_ref().filter(|_| !self.schema.pending.is_empty()) {
            Failure::unmanaged(state)?;
        }
        if !self.schema.findings.is_empty() {
            return Err(Failure::integrity(self.schema.findings.clone()));
        }
        let mut problems = schema::check(&self.schema);
        let nothing_comes = self.schema.pending.is_empty() && self.schema.snapshot.is_none();
        for item in self.backfill.items() {
            // With a pending migration, what a backfill misses may still come.
            let missing = item.waiting_for.as_ref().filter(|_| nothing_comes);
            problems.extend(item.refused.as_ref().or(missing).cloned());
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::files(problems)) }
    }

    /// Rows that the pending backfills may touch, where all of them have an estimate.
    pub fn backfill_rows(&self) -> Option<u64> {
        self.backfill.pending().map(|item| item.estimated_rows).sum()
    }
}

/// A database of which somebody has said that its objects are not of this pipeline is managed from then on.
async fn vouched(
    session: &mut Session,
    ledger: &str,
    state: Option<schema::State>,
) -> Result<Option<schema::State>, Error> {
    let is_open = matches!(state, Some(schema::State::Unmanaged { .. } | schema::State::Foreign { .. }));
    if !is_open || !postgres::ledger::exists(session, ledger).await? {
        return Ok(state);
    }
    // An older ledger does not have the column, and a plan may not bring it up to date.
    let text = format!(
        "SELECT EXISTS (SELECT FROM {}.deployments d WHERE status = 'succeeded' AND (pg_catalog.to_jsonb(d) ->> 'vouched')::boolean)",
        sql::identifier(ledger)
    );
    let is_vouched: bool = session.one(&text).await?.try_get(0)?;
    Ok(if is_vouched { Some(schema::State::Managed) } else { state })
}

fn items(schema: &schema::Plan, index: &index::Plan, backfill: &backfill::Plan) -> Vec<String> {
    let migrations = schema.pending.iter().map(|migration| format!("schema {}", migration.id()));
    let indexes = index.pending().map(|item| format!("index {}", item.name));
    let backfills = backfill.pending().map(|item| format!("backfill {}", item.id));
    migrations.chain(indexes).chain(backfills).collect()
}

fn hash(release: &str, schema: &schema::Plan, index: &index::Plan, items: &[String]) -> String {
    let mut hash = Sha256::new();
    hash.update(release);
    items.iter().for_each(|item| hash.update(format!("\n{item}")));
    // How it is done is part of what is agreed to: a build is no exchange.
    index.pending().for_each(|item| hash.update(format!("\n{} {:?}", item.name, item.action)));
    if let Some(snapshot) = &schema.snapshot {
        hash.update(format!("\nsnapshot of {}", snapshot.covered.len()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

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
        items: plan.items.clone(),
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
