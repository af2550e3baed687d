//! `pgdeploy rollback`: back to an earlier migration.

use std::process::ExitCode;

use orchestrator::RollbackTo;

use crate::arguments::{Format, Global, Rollback};
use crate::command::deploy::listen;
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::json;
use crate::render::screen::Screen;
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Rollback) -> Result<ExitCode, Told> {
    let vouch = &arguments.vouch;
    let context = Context::load(global, vouch.environment.name.as_deref())?;
    let signals = listen(&context)?;
    let mut prepared = context
        .prepare(Prepare { with_upstreams: false, actor: vouch.actor.as_deref(), ..Prepare::default() })
        .await?;
    prepared.request.exit = signals.exit(false);
    let exit = prepared.request.exit.clone();
    let to = RollbackTo {
        version: arguments.to,
        reason: &vouch.reason,
        allow_data_loss: arguments.allow_data_loss,
        act: vouch.yes,
    };
    let screen = Screen::new(context.style);
    let show = |record: &orchestrator::Record| {
        if context.format == Format::Text && !context.quiet {
            screen.show(record);
        }
    };
    let result = orchestrator::rollback(&prepared.request, to, &show, &signals.stop).await;
    screen.end();
    prepared.finish().await;
    let done = result.map_err(|failure| context.tell_after(&failure, &exit))?;
    if context.format != Format::Text {
        let losses: Vec<String> = done.losses.iter().map(ToString::to_string).collect();
        say(json::pretty(&serde_json::json!({
            "v": 1, "migrations": done.migrations, "losses": losses, "deployment": done.deployment,
            "warnings": done.warnings
        })));
        return Ok(ExitCode::SUCCESS);
    }
    if done.migrations.is_empty() {
        say("NOTHING TO DO: no migration above that version is in");
        return Ok(ExitCode::SUCCESS);
    }
    for warning in &done.warnings {
        let next = warning.next.as_deref().unwrap_or_default();
        say(format_args!("  {} {}\n       {next}", context.style.warning(warning.code), warning.message));
    }
    match done.deployment {
        Some(deployment) => say(format_args!("ROLLED BACK   deployment {deployment}")),
        None => {
            done.migrations.iter().for_each(|migration| say(format_args!("                {migration}")));
            done.losses.iter().for_each(|loss| say(format_args!("                {loss}")));
            let allow = if done.losses.is_empty() { "" } else { " --allow-data-loss" };
            say(format_args!(
                "would be taken back, in this order. Nothing was done; do it with{allow} --yes"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
