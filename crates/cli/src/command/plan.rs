//! `pgdeploy plan`: what a deploy would do, and with `--prove` what it does on a throwaway server.

use std::process::ExitCode;

use orchestrator::Failure;

use crate::arguments::{Format, Global, Plan};
use crate::command::{fleet, proof};
use crate::context::{Context, Prepare};
use crate::exit;
use crate::output::say;
use crate::render::{self, backfills, json, overview};
use crate::told::Told;

pub(crate) async fn run(global: &Global, arguments: &Plan) -> Result<ExitCode, Told> {
    let look = &arguments.look;
    let context = Context::load(global, look.environment.name.as_deref())?;
    if context.environment.fleet.is_some() && context.member.is_none() {
        return fleet::plan(&context, arguments).await;
    }
    let prepared = context
        .prepare(Prepare { with_upstreams: true, actor: arguments.actor.as_deref(), ..Prepare::default() })
        .await?;
    let planned = orchestrator::plan(&prepared.request).await;
    let proven = match (&planned, arguments.prove) {
        (Ok(plan), true) => Some(proof::of(&prepared, plan).await),
        _ => None,
    };
    prepared.finish().await;
    let plan = planned.map_err(|failure| context.tell(&failure))?;
    let proof = proven.transpose().map_err(|failure| context.tell(&failure))?;
    if let Some(path) = &arguments.out {
        let text = json::indented(&plan) + "\n";
        std::fs::write(path, text).map_err(|error| {
            context.tell(&Failure::local(format!("{} cannot be written: {error}", path.display())))
        })?;
    }
    let failure = proof.as_ref().and_then(|proof| proof.refusal(&plan));
    match context.format {
        Format::Text => {
            say(overview::of_plan(&plan, context.style).trim_end());
            for preflight in &plan.backfill.preflight {
                say(format_args!(
                    "\n{}",
                    backfills::of_preflight(preflight, context.style, arguments.sql).trim_end()
                ));
            }
            if let Some(proof) = &proof {
                say(render::proof::of(proof, context.style).trim_end());
            }
        }
        _ => {
            let mut value = serde_json::to_value(&plan).unwrap_or_default();
            if let Some(proof) = &proof {
                value["proof"] = serde_json::to_value(proof).unwrap_or_default();
            }
            if let Some(failure) = &failure {
                value["failure"] = json::of_failure(failure, &context.environment.name);
            }
            say(json::pretty(&value));
        }
    }
    match failure {
        Some(failure) if context.format == Format::Text => Err(context.tell(&failure)),
        Some(failure) => Ok(exit::of_verdict(failure.verdict)),
        None if look.detailed_exitcode && plan.changes => Ok(ExitCode::from(exit::DETAILED)),
        None => Ok(ExitCode::SUCCESS),
    }
}
