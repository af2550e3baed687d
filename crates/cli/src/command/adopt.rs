//! `pgdeploy adopt`: the history that another tool has kept becomes ours.

use std::collections::BTreeMap;
use std::process::ExitCode;

use adopt::{Manifest, Settle};
use orchestrator::{Adoption, Failure};

use crate::arguments::{Adopt, Format, Global};
use crate::command::deploy::listen;
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::json;
use crate::render::words::counted;
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Adopt) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    let manifest = Manifest::load(&context.directory())
        .map_err(|problem| context.tell(&Failure::files(vec![problem])))?;
    let settle: BTreeMap<String, Settle> = arguments.settle.iter().cloned().collect();
    let signals = listen(&context)?;
    let mut prepared = context
        .prepare(Prepare { with_upstreams: false, actor: arguments.actor.as_deref(), ..Prepare::default() })
        .await?;
    prepared.request.exit = signals.exit(false);
    let exit = prepared.request.exit.clone();
    let result = orchestrator::adopt(
        &prepared.request,
        &manifest,
        &settle,
        &arguments.reason,
        arguments.yes,
        &signals.stop,
    )
    .await;
    prepared.finish().await;
    let adoption = result.map_err(|failure| context.tell_after(&failure, &exit))?;
    match context.format {
        Format::Text => text(&adoption),
        _ => {
            let mut report = serde_json::to_value(&adoption).unwrap_or_default();
            report["v"] = 1.into();
            say(json::pretty(&report));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(adoption: &Adoption) {
    let Adoption { tool, table, imported, pending, settled, deployment } = adoption;
    say(format_args!("the history of {tool} in {table}"));
    for each in imported {
        let when = each.applied_at.as_deref().map(|at| format!("   applied {at}")).unwrap_or_default();
        say(format_args!("  imported  {}{when}", each.migration));
    }
    pending.iter().for_each(|migration| say(format_args!("  pending   {migration}")));
    settled.iter().for_each(|settled| say(format_args!("  settled   {settled}")));
    let (number, pending) = (counted(imported.len(), "migration", "migrations"), pending.len());
    say(match deployment {
        Some(deployment) => {
            format!("ADOPTED     {number} carried over, {pending} pending; deployment {deployment}")
        }
        None => format!(
            "{number} would be carried over without being run, {pending} pending. Nothing was done; do it with --yes"
        ),
    });
}
