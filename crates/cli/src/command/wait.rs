//! `pgdeploy wait [-- CMD]`: wait until a release is in, then become the application.

use std::process::ExitCode;

use orchestrator::{Awaited, Failure, Wanted};

use super::deploy::listen;
use crate::arguments::{Global, Until, Wait};
use crate::context::{Context, existing_database};
use crate::exec;
use crate::output::{results_to_stderr, tell};
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Wait) -> Result<ExitCode, Told> {
    // stdout is the program's.
    results_to_stderr();
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    if context.environment.fleet.is_some() {
        let what = "a program waits for one database: give it an environment of its own";
        return Err(context.tell(&Failure::not_with_a_fleet(&context.environment.name, what)));
    }
    exec::look_for(&arguments.command).map_err(|failure| context.tell(&failure))?;
    let signals = listen(&context)?;
    let release = match arguments.for_release {
        Some(_) => None,
        None => Some(context.release()?),
    };
    let wanted = match (&release, &arguments.for_release) {
        (_, Some(named)) => Wanted::Named(named),
        (Some(release), None) => Wanted::Files(release),
        (None, None) => return Ok(ExitCode::FAILURE),
    };
    let database = existing_database(&context.pipeline, &context.environment).await;
    let database = database.map_err(|error| context.tell_error(&error))?;
    let Some(database) = database else {
        let nothing = anyhow::anyhow!("the embedded server of {} has never run", context.environment.name);
        return Err(context.tell_error(&nothing));
    };
    let awaited = Awaited {
        pipeline: context.pipeline.name(),
        ledger: context.pipeline.ledger_schema(),
        target: &database.target,
        release: wanted,
        schema_is_enough: arguments.until == Until::Schema,
        timeout: arguments.timeout,
    };
    let told = |reason: &str| {
        if !context.quiet {
            tell(format_args!("waiting: {reason}"));
        }
    };
    let waited = orchestrator::wait_for_release(&awaited, told, &signals.stop).await;
    if let Err(failure) = waited {
        database.stop().await;
        return Err(context.tell_after(&failure, &signals.exit(false)));
    }
    database.leave().await;
    Ok(exec::become_program(&arguments.command, &signals, &context))
}
