//! For programs that deploy for themselves: from pipeline.yaml and a name, without the command line.

use std::path::Path;
use std::time::Duration;

use pipeline::{Database, Pipeline};
use postgres::Target;
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::deploy::deploy;
use crate::failure::Failure;
use crate::fleets::{Selection, deploy_fleet};
use crate::record::Observer;
use crate::release::Release;
use crate::report::{Report, Summary};
use crate::request::{Request, Upstream};

/// Deploys the pipeline's release to one of its environments, as `pgdeploy deploy --env NAME` does: with its lock, its
/// gates and its records. `events` sees everything that happens and must return at once.
///
/// When `stop` fires, it stops at the next safe point within seconds. Dropping the future is safe too: the server rolls
/// back what is open, and the next deploy, by whoever runs it, goes on from there.
///
/// # Errors
/// The environment cannot be read: it does not exist, or a variable is not set. Everything else is in the report.
pub async fn deploy_environment(
    pipeline: &Pipeline,
    name: &str,
    events: Observer<'_>,
    stop: &CancellationToken,
) -> Result<Report, pipeline::Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let environment = pipeline.environment(name, &variable)?;
    let mut upstreams = Vec::new();
    for before in &environment.after {
        // Where a receipt stands for an environment, its database is not asked.
        let database = match environment.gates.receipts {
            Some(_) => None,
            None => Some(pipeline.environment(before, &variable)?.database),
        };
        upstreams.push((before.clone(), database));
    }
    match request(pipeline, &environment, upstreams) {
        Ok(request) if request.fleet.is_some() => {
            Ok(deploy_fleet(&request, &Selection::All, events, stop).await.report)
        }
        Ok(request) => Ok(deploy(&request, events, stop).await),
        Err(failure) => Ok(refused(failure)),
    }
}

fn request(
    pipeline: &Pipeline,
    environment: &pipeline::Environment,
    upstreams: Vec<(String, Option<Database>)>,
) -> Result<Request, Failure> {
    let release = Release::load(pipeline.base_dir(), environment).map_err(Failure::files)?;
    let upstreams = upstreams.into_iter().map(|(name, database)| {
        // An embedded one is a developer's: nothing can be learned from it here.
        let database = database.filter(|database| !matches!(database, Database::Embedded));
        let target = database.map(|database| target(&name, &database)).transpose()?;
        Ok(Upstream { name, target })
    });
    let upstreams = upstreams.collect::<Result<_, Failure>>()?;
    let target = target(&environment.name, &environment.database)?;
    Ok(Request::new(pipeline, environment, target, release).upstreams(upstreams))
}

fn target(name: &str, database: &Database) -> Result<Target, Failure> {
    match database {
        Database::Url(url) => Target::parse(url).map_err(Failure::session),
        Database::Embedded => {
            let message =
                format!("the environment {name} is embedded: only the command line starts its server");
            let problem = Problem::with_file("E265", Path::new("pipeline.yaml"), message);
            Err(Failure::files(vec![problem.help("give the environment a URL")]))
        }
    }
}

/// The report of a deploy that was refused before there was a database.
fn refused(failure: Failure) -> Report {
    Report {
        deployment: None,
        verdict: failure.verdict,
        exit: failure.verdict.exit_code(),
        duration: Duration::ZERO,
        warnings: Vec::new(),
        failure: Some(failure),
        services: None,
        summary: Summary::default(),
    }
}
