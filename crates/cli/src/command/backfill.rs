//! `pgdeploy backfill`: outside of a deploy.

use std::process::ExitCode;

use orchestrator::backfill::{Ask, Outcome, Proof};
use orchestrator::{Failure, Request, Settle, Verdict};
use serde_json::json;

use crate::arguments::{Backfill, Environment, Format, Global, Quarantine, Steer};
use crate::context::{Context, Prepare};
use crate::exit;
use crate::output::{say, tell};
use crate::render::screen::Screen;
use crate::render::{backfills, json};
use crate::signals::Signals;
use crate::told::Told;

pub(crate) async fn run(
    global: &Global,
    environment: &Environment,
    command: Backfill,
) -> Result<ExitCode, Told> {
    let context = Context::load(global, environment.name.as_deref())?;
    let actor = steer_of(&command).and_then(|steer| steer.actor.clone());
    let signals = Signals::listen(|| {}).map_err(|error| context.tell_error(&error.into()))?;
    let prepared = context
        .prepare(Prepare { with_upstreams: false, actor: actor.as_deref(), ..Prepare::default() })
        .await?;
    let done = act(&context, &prepared.request, command, &signals).await;
    prepared.finish().await;
    done.map_err(|failure| context.tell(&failure))
}

fn steer_of(command: &Backfill) -> Option<&Steer> {
    match command {
        Backfill::Pause(steer) | Backfill::Resume(steer) | Backfill::Cancel(steer) => Some(steer),
        Backfill::Speed { steer, .. } => Some(steer),
        Backfill::Quarantine { command: Quarantine::Retry(steer) | Quarantine::Accept { steer, .. } } => {
            Some(steer)
        }
        _ => None,
    }
}

async fn act(
    context: &Context,
    request: &Request,
    command: Backfill,
    signals: &Signals,
) -> Result<ExitCode, Failure> {
    let text = context.format == Format::Text;
    match command {
        Backfill::List { ids } => {
            let all = orchestrator::backfills(request).await?;
            let chosen: Vec<_> =
                all.into_iter().filter(|one| ids.is_empty() || ids.contains(&one.id)).collect();
            match text {
                true => say(backfills::of_standing(&chosen, context.style).trim_end()),
                false => say(json::pretty(&json!({"v": 1, "backfills": chosen}))),
            }
        }
        Backfill::Run { ids, dry_run: true, .. } => {
            let all = orchestrator::preflight_backfills(request, &ids).await?;
            match text {
                true => {
                    for preflight in &all {
                        say(backfills::of_preflight(preflight, context.style, true));
                    }
                    say(format_args!("{} looked at; nothing was changed", all.len()));
                }
                false => say(json::pretty(&json!({"v": 1, "preflight": all}))),
            }
        }
        Backfill::Run { ids, budget, detailed_exitcode, .. } => {
            let outcome = match context.format {
                Format::Text if !context.quiet => {
                    let screen = Screen::new(context.style);
                    screen.begin_backfills();
                    let observer = |record: &orchestrator::Record| screen.show(record);
                    let outcome =
                        orchestrator::run_backfills(request, &ids, budget, &observer, &signals.stop).await;
                    screen.end();
                    outcome?
                }
                Format::Jsonl => {
                    let observer = super::deploy::line;
                    orchestrator::run_backfills(request, &ids, budget, &observer, &signals.stop).await?
                }
                _ => orchestrator::run_backfills(request, &ids, budget, &|_| {}, &signals.stop).await?,
            };
            return Ok(ended(context, &outcome, detailed_exitcode, signals.received()));
        }
        Backfill::Pause(steer) => ask(context, request, &steer, &Ask::Pause).await?,
        Backfill::Resume(steer) => ask(context, request, &steer, &Ask::Resume).await?,
        Backfill::Cancel(steer) => ask(context, request, &steer, &Ask::Cancel).await?,
        Backfill::Speed { steer, target, pause, duty, workers } => {
            let duty = duty.map(|percent| f64::from(percent) / 100.0);
            ask(context, request, &steer, &Ask::Speed { target, pause, duty, workers }).await?
        }
        Backfill::Verify { ids } => {
            let proofs = orchestrator::verify_backfills(request, &ids).await?;
            let complete = proofs.iter().all(|(_, proof)| *proof == Proof::Complete);
            match text {
                true => say(backfills::of_proofs(&proofs, context.style).trim_end()),
                false => say(json::pretty(&backfills::proofs_json(&proofs))),
            }
            if !complete {
                return Ok(exit::of_verdict(Verdict::Refused));
            }
        }
        Backfill::Quarantine { command: Quarantine::List { id } } => {
            let rows = orchestrator::quarantine(request, &id).await?;
            match text {
                true => say(backfills::of_quarantine(&rows, context.style).trim_end()),
                false => say(json::pretty(&json!({"v": 1, "backfill": id, "rows": rows}))),
            }
        }
        Backfill::Quarantine { command: Quarantine::Retry(steer) } => {
            settle(context, request, &steer.id, &Settle::Retry, "are tried again by the next run").await?
        }
        Backfill::Quarantine { command: Quarantine::Accept { steer, keys, reason } } => {
            settle(context, request, &steer.id, &Settle::Accept { keys, reason }, "are accepted as they are")
                .await?
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(context: &Context, request: &Request, steer: &Steer, what: &Ask) -> Result<(), Failure> {
    let revision = orchestrator::ask_backfill(request, &steer.id, what, steer.revision).await?;
    match context.format {
        Format::Text => {
            say(format_args!("{}: from the next batch on, wherever it runs; revision {revision}", steer.id))
        }
        _ => say(json::pretty(&json!({"v": 1, "backfill": steer.id, "revision": revision}))),
    }
    Ok(())
}

async fn settle(
    context: &Context,
    request: &Request,
    id: &str,
    settle: &Settle,
    what: &str,
) -> Result<(), Failure> {
    let rows = orchestrator::settle_quarantine(request, id, settle).await?;
    match context.format {
        Format::Text => say(format_args!(
            "{rows} rows {what}; go on with: pgdeploy backfill run {id} --env {}",
            request.environment
        )),
        _ => say(json::pretty(&json!({"v": 1, "backfill": id, "rows": rows}))),
    }
    Ok(())
}

/// The end of a run: what fell short is a warning, as in a deploy.
fn ended(context: &Context, outcome: &Outcome, detailed: bool, signal: Option<u8>) -> ExitCode {
    let code = match (outcome.interrupted, outcome.warnings.is_empty()) {
        (true, _) => 128 + signal.unwrap_or(15),
        (_, false) if detailed => exit::DETAILED,
        _ => 0,
    };
    match context.format {
        Format::Text => say(backfills::of_outcome(outcome, context.style, code).trim_end()),
        Format::Json => say(json::pretty(&json!({"v": 1, "exit": code, "outcome": outcome}))),
        Format::Jsonl | Format::Events => {
            for warning in &outcome.warnings {
                tell(format_args!("{} {}", warning.code, warning.message));
            }
        }
    }
    ExitCode::from(code)
}
