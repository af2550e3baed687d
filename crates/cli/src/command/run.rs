//! `pgdeploy run -- CMD`: deploy, then become the application.

use std::process::ExitCode;

use orchestrator::{Report, Verdict};

use super::deploy::{listen, prepare, told, watched};
use crate::arguments::{Global, Run, WhenAhead};
use crate::context::Context;
use crate::exec;
use crate::output::{results_to_stderr, tell};
use crate::told::Told;

/// What a database says that is ahead of the release.
const AHEAD: &str = "E110";

pub(crate) async fn run(global: &Global, arguments: &Run) -> Result<ExitCode, Told> {
    // stdout is the program's.
    results_to_stderr();
    let deploy = &arguments.deploy;
    let context = Context::load(global, deploy.environment.name.as_deref())?;
    exec::look_for(&arguments.command).map_err(|failure| context.tell(&failure))?;
    let signals = listen(&context)?;
    let mut prepared = prepare(&context, deploy, &signals).await?;
    let request = &mut prepared.request;
    request.starts_an_application = true;
    request.lock_wait = request.lock_wait.max(arguments.lock_wait);
    let request = &prepared.request;
    let report =
        watched(&context, async |observer| orchestrator::deploy(request, observer, &signals.stop).await)
            .await;
    let code = told(&context, &report);
    let may_start = match report.verdict {
        Verdict::Succeeded | Verdict::Warnings => true,
        _ if arguments.when_ahead == WhenAhead::Start && is_ahead(&report) => {
            tell("the database is ahead of this release; --when-ahead start: the program is started");
            true
        }
        _ => false,
    };
    if !may_start {
        prepared.finish().await;
        return Ok(code);
    }
    prepared.leave().await;
    Ok(exec::become_program(&arguments.command, &signals, &context))
}

/// Whether nothing else is the matter than that a newer release is in.
fn is_ahead(report: &Report) -> bool {
    let problems = report.failure.as_ref().map(|failure| failure.problems.as_slice()).unwrap_or_default();
    !problems.is_empty() && problems.iter().all(|problem| problem.code == AHEAD)
}
