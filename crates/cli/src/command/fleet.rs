//! Deploy, plan and status of a fleet, and `pgdeploy fleet`.

use std::process::ExitCode;

use orchestrator::fleet::Status as Ended;
use orchestrator::{Failure, Override, Selection};

use super::deploy::{listen, watched};
use crate::arguments::{Deploy, FleetList, FleetRetry, Format, Global, Overriding, Plan, Status};
use crate::context::{Context, Prepare};
use crate::exit;
use crate::output::say;
use crate::render::{fleet, json};
use crate::told::{Told, tell_configuration};

/// `pgdeploy deploy` where the environment is a fleet, or one database of it.
pub(crate) async fn deploy(context: &Context, deploy: &Deploy) -> Result<ExitCode, Told> {
    if deploy.plan.is_some() {
        return Err(of_one(context, "a saved plan is of one database"));
    }
    let selection = match &context.member {
        Some(name) => Selection::Named(vec![name.clone()]),
        None => Selection::All,
    };
    let with = With {
        actor: deploy.actor.as_deref(),
        detailed_exitcode: deploy.detailed_exitcode,
        overriding: Some(&deploy.overriding),
        settled_hooks: &deploy.settle_hook,
    };
    roll_out(context, &selection, with).await
}

/// `pgdeploy fleet retry`.
pub(crate) async fn retry(global: &Global, arguments: &FleetRetry) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    if context.environment.fleet.is_none() {
        return Err(context.tell(&Failure::no_fleet(&context.environment.name)));
    }
    let mut names = arguments.names.clone();
    names.extend(context.member.clone());
    let selection = if arguments.failed { Selection::Failed(names) } else { Selection::Named(names) };
    let with = With {
        actor: arguments.actor.as_deref(),
        detailed_exitcode: arguments.detailed_exitcode,
        overriding: None,
        settled_hooks: &[],
    };
    roll_out(&context, &selection, with).await
}

/// What was typed with it.
struct With<'a> {
    actor: Option<&'a str>,
    detailed_exitcode: bool,
    overriding: Option<&'a Overriding>,
    settled_hooks: &'a [orchestrator::SettledHook],
}

async fn roll_out(context: &Context, selection: &Selection, with: With<'_>) -> Result<ExitCode, Told> {
    let signals = listen(context)?;
    if let Some(Err(error)) = context.environment.gates.receipt.as_ref().map(|receipt| &receipt.key) {
        return Err(tell_configuration(error, context.format, context.style));
    }
    let prepare = Prepare { with_upstreams: true, actor: with.actor, with_a_fleet: true, only_looks: false };
    let mut prepared = context.prepare(prepare).await?;
    prepared.request.exit = signals.exit(with.detailed_exitcode);
    prepared.request.settled_hooks = with.settled_hooks.to_vec();
    let overriding = with.overriding.and_then(|one| one.gate.zip(one.reason.clone()));
    prepared.request.overridden = overriding.map(|(gate, reason)| Override { gate, reason });
    let request = &prepared.request;
    let report = watched(context, async |observer| {
        orchestrator::deploy_fleet(request, selection, observer, &signals.stop).await
    })
    .await;
    prepared.finish().await;
    let name = &context.environment.name;
    match context.format {
        Format::Text => say(fleet::of_deploy(&report, name, context.style).trim_end()),
        Format::Json => say(json::pretty(&fleet::json_of_deploy(&report, name))),
        Format::Jsonl | Format::Events => {}
    }
    Ok(exit::of(report.report.exit))
}

/// `pgdeploy plan`.
pub(crate) async fn plan(context: &Context, arguments: &Plan) -> Result<ExitCode, Told> {
    if arguments.prove || arguments.sql || arguments.out.is_some() {
        return Err(of_one(context, "--prove, --sql and --out are about one database"));
    }
    let prepare = Prepare {
        with_upstreams: true,
        actor: arguments.actor.as_deref(),
        with_a_fleet: true,
        only_looks: false,
    };
    let prepared = context.prepare(prepare).await?;
    let planned = orchestrator::fleet_plan(&prepared.request).await;
    prepared.finish().await;
    let plan = planned.map_err(|failure| context.tell(&failure))?;
    match context.format {
        Format::Text => say(fleet::of_plan(&plan, context.style).trim_end()),
        _ => say(json::pretty(&plan)),
    }
    Ok(detailed(arguments.look.detailed_exitcode && plan.changes))
}

/// `pgdeploy status`.
pub(crate) async fn status(context: &Context, arguments: &Status) -> Result<ExitCode, Told> {
    if arguments.verify {
        return Err(of_one(context, "--verify proves the ledger of one database"));
    }
    let status = standing(context).await?;
    match context.format {
        Format::Text => say(fleet::of_status(&status, context.style).trim_end()),
        _ => say(json::pretty(&status)),
    }
    Ok(detailed(arguments.look.detailed_exitcode && !status.up_to_date))
}

/// `pgdeploy fleet list`.
pub(crate) async fn list(global: &Global, arguments: &FleetList) -> Result<ExitCode, Told> {
    let context = Context::load(global, arguments.environment.name.as_deref())?;
    let mut status = standing(&context).await?;
    if arguments.failed {
        status.databases.retain(|one| matches!(one.status, Ended::Failed | Ended::Interrupted));
    }
    match context.format {
        Format::Text => say(fleet::of_list(&status.databases, context.style).trim_end()),
        _ => say(json::pretty(&serde_json::json!({"v": 1, "databases": status.databases}))),
    }
    Ok(ExitCode::SUCCESS)
}

async fn standing(context: &Context) -> Result<orchestrator::FleetStatus, Told> {
    let prepared =
        context.prepare(Prepare { with_a_fleet: true, only_looks: true, ..Prepare::default() }).await?;
    let looked = orchestrator::fleet_status(&prepared.request).await;
    prepared.finish().await;
    looked.map_err(|failure| context.tell(&failure))
}

fn detailed(has_changes: bool) -> ExitCode {
    if has_changes { ExitCode::from(exit::DETAILED) } else { ExitCode::SUCCESS }
}

fn of_one(context: &Context, what: &str) -> Told {
    context.tell(&Failure::not_with_a_fleet(&context.environment.name, what))
}
