//! What a deploy of a fleet would do, and how its databases stand. Reads only.

use fleet::{Book, Standing, Status, WaveCount};
use futures_util::StreamExt;
use serde::Serialize;

use super::Fleet;
use super::databases::{self, Database};
use super::look::{self, Look};
use super::one;
use crate::failure::Failure;
use crate::gate::{self, GateAnswer};
use crate::plan::Plan;
use crate::reach;
use crate::request::Request;
use crate::status::{LastDeployment, last};

/// What a deploy of a fleet would do.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct FleetPlan {
    /// Version of this format.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// The database that keeps account: host, port and name.
    pub control: String,
    /// Hash of the release.
    pub release: String,
    /// What approvals are about: the whole release, whatever of it a database has.
    pub plan: String,
    /// Whether a deploy would have anything to do.
    pub changes: bool,
    /// What the environment's gates say now.
    pub gates: Vec<GateAnswer>,
    /// Every database with what it would get, in the order of the waves.
    pub databases: Vec<DatabasePlan>,
}

/// What a deploy would do to one database.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct DatabasePlan {
    /// Its name.
    pub name: String,
    /// Its wave.
    pub wave: String,
    /// How it stands.
    pub state: Where,
    /// What would be done, in this order.
    pub items: Vec<String>,
    /// The code of what would refuse it, or of why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What would refuse it, or why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a database stands to a release, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// It has the release.
    UpToDate,
    /// A deploy has something to do.
    Pending,
    /// A deploy would be refused.
    Refused,
    /// It could not be looked at.
    Unknown,
}

/// How the databases of a fleet stand, by the account of the deploys; none of them is asked.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct FleetStatus {
    /// Version of this format.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// The database that keeps account: host, port and name.
    pub control: String,
    /// Hash of the release in the files.
    pub release: String,
    /// Whether every database got this release without a warning.
    pub up_to_date: bool,
    /// How many of each wave stand how.
    pub waves: Vec<WaveCount>,
    /// Every database, in the order of the waves.
    pub databases: Vec<Standing>,
    /// The fleet's newest deployment.
    pub last: Option<LastDeployment>,
}

/// Says what a deploy would do: asks every database.
pub async fn fleet_plan(request: &Request) -> Result<FleetPlan, Failure> {
    let fleet = of(request)?;
    let mut session = reach::for_reading(request).await?;
    let databases = by_wave(databases::of(request, fleet, &mut session).await?);
    let looks = futures_util::stream::iter(&databases).map(|database| async move {
        look::at(&one::request_for(request, &database.name, database.target.clone())).await
    });
    let parallel = fleet.waves.iter().map(|wave| wave.max_parallel).max().unwrap_or(1);
    let looks: Vec<Look> = looks.buffered(parallel).collect().await;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let told = |(database, look): (&Database, Look)| {
        let (state, items, why) = match look {
            Look::UpToDate => (Where::UpToDate, Vec::new(), None),
            Look::Work(work) if work.refused.is_some() => (Where::Refused, work.items, work.refused),
            Look::Work(work) => (Where::Pending, work.items, None),
            Look::Unknown(failure, _) => {
                (Where::Unknown, Vec::new(), Some((failure.code.to_owned(), one::told(&failure))))
            }
        };
        let (code, message) = why.unzip();
        let wave = fleet.waves[database.wave].name.clone();
        DatabasePlan { name: database.name.clone(), wave, state, items, code, message }
    };
    let databases: Vec<DatabasePlan> = databases.iter().zip(looks).map(told).collect();
    let changes = databases.iter().any(|database| database.state != Where::UpToDate);
    let gates = match changes {
        true => gate::look(request, &plan, &mut session).await?.answers,
        false => Vec::new(),
    };
    session.close().await;
    Ok(FleetPlan {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        control: request.target.to_string(),
        release: request.release.hash.clone(),
        plan: plan.hash,
        changes,
        gates: gates.iter().map(gate::Answer::told).collect(),
        databases,
    })
}

/// Says how each database ended when it was last deployed to.
pub async fn fleet_status(request: &Request) -> Result<FleetStatus, Failure> {
    let fleet = of(request)?;
    let mut session = reach::for_reading(request).await?;
    let databases = by_wave(databases::of(request, fleet, &mut session).await?);
    let book = Book::new(&request.ledger, &request.environment, &request.release.hash);
    let standing = book.standing(&mut session).await.map_err(Failure::session)?;
    let last = last(&mut session, request).await.map_err(Failure::session)?;
    session.close().await;
    let is_at_work = last.as_ref().is_some_and(|last| last.status == "running");
    let mut known: std::collections::HashMap<String, Standing> =
        standing.into_iter().map(|one| (one.name.clone(), one)).collect();
    let told = |database: &Database| {
        let wave = fleet.waves[database.wave].name.clone();
        let of_this_release = known.remove(&database.name).filter(|one| one.release == request.release.hash);
        match of_this_release {
            // What says that it runs is believed only while somebody holds the lock.
            Some(one) if one.status == Status::Running && !is_at_work => {
                Standing { wave, status: Status::Interrupted, ..one }
            }
            Some(one) => Standing { wave, ..one },
            None => Standing {
                name: database.name.clone(),
                wave,
                status: Status::Pending,
                release: request.release.hash.clone(),
                deployment: None,
                code: None,
                message: None,
                finished_at: None,
            },
        }
    };
    let databases: Vec<Standing> = databases.iter().map(told).collect();
    Ok(FleetStatus {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        control: request.target.to_string(),
        release: request.release.hash.clone(),
        up_to_date: databases.iter().all(|one| one.status == Status::Done),
        waves: fleet::count(&databases),
        databases,
        last,
    })
}

fn of(request: &Request) -> Result<&Fleet, Failure> {
    request.fleet.as_ref().ok_or_else(|| Failure::no_fleet(&request.environment))
}

fn by_wave(mut databases: Vec<Database>) -> Vec<Database> {
    databases.sort_by_key(|database| database.wave);
    databases
}
