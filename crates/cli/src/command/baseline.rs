//! `pgdeploy baseline`: adopting a database that has objects but no history.

use std::process::ExitCode;

use crate::arguments::{Baseline, Format, Global};
use crate::context::{Context, Prepare, Told};
use crate::output::say;
use crate::render::json;

pub(crate) async fn run(global: &Global, arguments: &Baseline) -> Result<ExitCode, Told> {
    let vouch = &arguments.vouch;
    let context = Context::load(global, vouch.environment.name.as_deref())?;
    let prepared = context.prepare(Prepare { with_upstreams: false, actor: vouch.actor.as_deref() }).await?;
    let result = orchestrator::baseline(&prepared.request, arguments.at, &vouch.reason, vouch.yes).await;
    prepared.finish().await;
    let baseline = result.map_err(|failure| context.tell(&failure))?;
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
            format!("BASELINED   {number} migrations are taken to be in; deployment {deployment}")
        }
        None => format!(
            "{number} migrations would be taken to be in, without being run. Nothing was done; do it with --yes"
        ),
    });
    Ok(ExitCode::SUCCESS)
}
