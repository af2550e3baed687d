//! `pgdeploy repair`: mending one migration's place in the history.

use std::process::ExitCode;

use orchestrator::schema;

use crate::arguments::{Format, Global, Repair, RepairKind};
use crate::command::deploy::listen;
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::json;
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Repair) -> Result<ExitCode, Told> {
    let vouch = &arguments.vouch;
    let context = Context::load(global, vouch.environment.name.as_deref())?;
    let signals = listen(&context)?;
    let mut prepared = context
        .prepare(Prepare { with_upstreams: false, actor: vouch.actor.as_deref(), ..Prepare::default() })
        .await?;
    prepared.request.exit = signals.exit(false);
    let exit = prepared.request.exit.clone();
    let kind = match arguments.kind {
        RepairKind::MarkApplied => schema::Repair::MarkApplied,
        RepairKind::MarkRolledBack => schema::Repair::MarkRolledBack,
        RepairKind::AcceptChecksum => schema::Repair::AcceptChecksum,
        RepairKind::StatementApplied => schema::Repair::StatementApplied,
        RepairKind::StatementMissing => schema::Repair::StatementMissing,
    };
    let result = orchestrator::repair(
        &prepared.request,
        arguments.version,
        kind,
        &vouch.reason,
        vouch.yes,
        &signals.stop,
    )
    .await;
    prepared.finish().await;
    let repaired = result.map_err(|failure| context.tell_after(&failure, &exit))?;
    if context.format != Format::Text {
        say(json::pretty(&serde_json::json!({
            "v": 1, "migration": repaired.migration, "effect": repaired.effect, "deployment": repaired.deployment
        })));
        return Ok(ExitCode::SUCCESS);
    }
    for effect in &repaired.effect {
        say(format_args!("                {effect}"));
    }
    say(match repaired.deployment {
        Some(deployment) => format!("REPAIRED   deployment {deployment}"),
        None => "Nothing was done; do it with --yes".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}
