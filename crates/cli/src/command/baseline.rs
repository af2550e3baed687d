//! `pgdeploy baseline`: adopting a database that has objects but no history.

use std::process::ExitCode;

use crate::arguments::{Baseline, Format, Global};
use crate::command::deploy::listen;
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::json;
use crate::render::words::counted;
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Baseline) -> Result<ExitCode, Told> {
    let vouch = &arguments.vouch;
    let context = Context::load(global, vouch.environment.name.as_deref())?;
    let signals = listen(&context)?;
    let mut prepared = context
        .prepare(Prepare { with_upstreams: false, actor: vouch.actor.as_deref(), ..Prepare::default() })
        .await?;
    prepared.request.exit = signals.exit(false);
    let exit = prepared.request.exit.clone();
    let result =
        orchestrator::baseline(&prepared.request, arguments.at, &vouch.reason, vouch.yes, &signals.stop)
            .await;
    prepared.finish().await;
    let baseline = result.map_err(|failure| context.tell_after(&failure, &exit))?;
    if context.format != Format::Text {
        say(json::pretty(
            &serde_json::json!({"v": 1, "migrations": baseline.migrations, "deployment": baseline.deployment}),
        ));
        return Ok(ExitCode::SUCCESS);
    }
    for migration in &baseline.migrations {
        say(format_args!("                {migration}"));
    }
    let number = baseline.migrations.len();
    say(match baseline.deployment {
        Some(deployment) => {
            let (what, are) =
                (counted(number, "migration", "migrations"), if number == 1 { "is" } else { "are" });
            format!("BASELINED   {what} {are} taken to be in; deployment {deployment}")
        }
        None => format!(
            "{} would be taken to be in, without being run. Nothing was done; do it with --yes",
            counted(number, "migration", "migrations")
        ),
    });
    Ok(ExitCode::SUCCESS)
}
