//! `pgdeploy plan`: what a deploy would do.

use std::process::ExitCode;

use crate::arguments::{Format, Global, Plan};
use crate::context::{Context, Prepare, Told};
use crate::exit;
use crate::output::say;
use crate::render::{backfills, json, overview};

pub(crate) async fn run(global: &Global, arguments: &Plan) -> Result<ExitCode, Told> {
    let look = &arguments.look;
    let context = Context::load(global, look.environment.name.as_deref())?;
    let prepared = context.prepare(Prepare { with_upstreams: true, actor: None }).await?;
    let planned = orchestrator::plan(&prepared.request).await;
    prepared.finish().await;
    let plan = planned.map_err(|failure| context.tell(&failure))?;
    match context.format {
        Format::Text => {
            say(overview::of_plan(&plan, context.style).trim_end());
            for preflight in &plan.backfill.preflight {
                say(format_args!(
                    "\n{}",
                    backfills::of_preflight(preflight, context.style, arguments.sql).trim_end()
                ));
            }
        }
        _ => say(json::pretty(&plan)),
    }
    Ok(if look.detailed_exitcode && plan.changes {
        ExitCode::from(exit::DETAILED)
    } else {
        ExitCode::SUCCESS
    })
}
