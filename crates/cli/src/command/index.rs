//! `pgdeploy index list` and `pgdeploy index repair`.

use std::process::ExitCode;

use crate::arguments::{Format, Global, IndexList, IndexRepair};
use crate::command::deploy::{listen, told, watched};
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::{indexes, json};
use crate::told::Told;

/// Lists every index.
pub(crate) async fn list(global: &Global, arguments: &IndexList) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    let prepared = context.prepare(Prepare { only_looks: true, ..Prepare::default() }).await?;
    let listed = orchestrator::list_indexes(&prepared.request).await;
    prepared.finish().await;
    let mut list = listed.map_err(|failure| context.tell(&failure))?;
    if arguments.troubled {
        list.indexes.retain(indexes::is_troubled);
    }
    match context.format {
        Format::Text => say(indexes::of_list(&list, context.style).trim_end()),
        _ => say(json::pretty(&list)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Repairs what is invalid.
pub(crate) async fn repair(global: &Global, arguments: &IndexRepair) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    let signals = listen(&context)?;
    let mut prepared = context
        .prepare(Prepare { with_upstreams: false, actor: arguments.actor.as_deref(), ..Prepare::default() })
        .await?;
    prepared.request.exit = signals.exit(arguments.detailed_exitcode);
    let (request, name) = (&prepared.request, arguments.index.as_deref());
    let report = watched(&context, async |observer| {
        orchestrator::repair_indexes(request, name, observer, &signals.stop).await
    })
    .await;
    prepared.finish().await;
    Ok(told(&context, &report))
}
