//! The deploy of one database of a fleet: an ordinary one, of the fleet's release.

use std::time::{Duration, Instant};

use fleet::Status;
use gates::Gate;
use postgres::Target;
use tokio_util::sync::CancellationToken;

use super::databases;
use crate::deploy::deploy;
use crate::failure::{Failure, Verdict};
use crate::reach;
use crate::report::{Exit, Report};
use crate::request::Request;

/// How a database's deploy ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) of_target: Option<i64>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) duration: Duration,
}

/// What one database of the fleet is asked. The gates are the fleet's and asked once, but for the windows of the clock: they
/// are patrolled while backfills run. Services and hooks are around the fleet.
pub(super) fn request_for(control: &Request, name: &str, target: Target) -> Request {
    let by_clock = control.overridden.clone().filter(|one| one.gate == Gate::Freeze);
    Request {
        environment: format!("{}/{name}", control.environment),
        target,
        fleet: None,
        frugal: true,
        upstreams: Vec::new(),
        gates: pipeline::Gates {
            windows: control.gates.windows.clone(),
            overrides: by_clock.iter().map(|one| one.gate).collect(),
            ..Default::default()
        },
        overridden: by_clock,
        expected: None,
        authors: Vec::new(),
        // Databases side by side are enough.
        index: index::Settings { parallel: 1, ..control.index.clone() },
        services: None,
        hooks: pipeline::Hooks::default(),
        settled_hooks: Vec::new(),
        exit: Exit { detailed: false, signal: control.exit.signal.clone() },
        ..control.clone()
    }
}

/// Deploys to it.
pub(super) async fn run(request: Request, name: String, stop: &CancellationToken) -> Done {
    let started = Instant::now();
    let report = deploy(&request, &|_| {}, stop).await;
    let (status, code, message) = ending(&report);
    Done { name, status, of_target: report.deployment, code, message, duration: started.elapsed() }
}

fn ending(report: &Report) -> (Status, Option<String>, Option<String>) {
    let status = match report.verdict {
        Verdict::Succeeded => Status::Done,
        Verdict::Warnings => Status::Warnings,
        Verdict::Interrupted => Status::Interrupted,
        _ => Status::Failed,
    };
    if let Some(failure) = &report.failure {
        return (status, Some(failure.code.to_owned()), Some(told(failure)));
    }
    let first = report.warnings.first();
    (status, first.map(|one| one.code.to_owned()), first.map(|one| one.message.clone()))
}

/// What happened on one line, with the first of the places where.
pub(super) fn told(failure: &Failure) -> String {
    let place = failure.problems.first().map(|problem| format!(": {problem}"));
    let text = format!("{}{}", failure.message, place.unwrap_or_default());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The request for a single database of a fleet, for what is done with one: `--env shards/db7`.
pub async fn fleet_member(control: &Request, name: &str) -> Result<Request, Failure> {
    let Some(fleet) = &control.fleet else { return Err(Failure::no_fleet(&control.environment)) };
    let mut session = reach::for_reading(control).await?;
    let databases = databases::of(control, fleet, &mut session).await?;
    session.close().await;
    let found = databases.into_iter().find(|database| database.name == name);
    let database = found.ok_or_else(|| Failure::no_such_database(name, &control.environment))?;
    let request = request_for(control, name, database.target);
    Ok(Request { frugal: false, index: control.index.clone(), ..request })
}
