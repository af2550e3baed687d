//! `pgdeploy approve`, `approvals`, `hold` and `receipt`.

use std::process::ExitCode;

use orchestrator::gates::SigningKey;
use orchestrator::gates::hold::Scope;
use orchestrator::{Beside, Failure, Request};
use serde_json::json;

use crate::arguments::{Acting, Approvals, Approve, Environment, Format, Global, Hold, Ledger, Receipt};
use crate::context::{Context, Prepare};
use crate::output::say;
use crate::render::{Style, gates, json};
use crate::told::{Told, tell_failure};

pub(crate) async fn approve(global: &Global, arguments: &Approve) -> Result<ExitCode, Told> {
    let acting = Some(&arguments.acting);
    with(global, &arguments.environment, acting, async |request, context| {
        let approved = orchestrator::approve(request, &arguments.plan, arguments.note.as_deref()).await?;
        match context.format {
            Format::Text => say(format_args!(
                "APPROVED   approval {} of plan {} for {} by {} ({}), until {}",
                approved.number,
                &approved.plan[..6],
                request.environment,
                approved.by,
                approved.source,
                approved.expires
            )),
            _ => say(json::pretty(&json!({"v": 1, "approval": approved}))),
        }
        Ok(())
    })
    .await
}

pub(crate) async fn approvals(
    global: &Global,
    environment: &Environment,
    command: &Approvals,
) -> Result<ExitCode, Told> {
    let acting = match command {
        Approvals::Revoke { acting, .. } => Some(acting),
        Approvals::List => None,
    };
    with(global, environment, acting, async |request, context| {
        match command {
            Approvals::List => {
                let all = orchestrator::approvals(request).await?;
                match context.format {
                    Format::Text => say(gates::of_approvals(&all, context.style).trim_end()),
                    _ => say(json::pretty(&json!({"v": 1, "approvals": all}))),
                }
            }
            Approvals::Revoke { number, reason, .. } => {
                orchestrator::revoke(request, *number, reason).await?;
                match context.format {
                    Format::Text => say(format_args!("approval {number} is revoked")),
                    _ => say(json::pretty(&json!({"v": 1, "revoked": number}))),
                }
            }
        }
        Ok(())
    })
    .await
}

pub(crate) async fn hold(
    global: &Global,
    environment: &Environment,
    command: &Hold,
) -> Result<ExitCode, Told> {
    let acting = match command {
        Hold::Add { acting, .. } | Hold::Lift { acting, .. } => Some(acting),
        Hold::List => None,
    };
    with(global, environment, acting, async |request, context| {
        let text = context.format == Format::Text;
        match command {
            Hold::Add { reason, until, release, backfill, .. } => {
                let scope = match (release, backfill) {
                    (Some(hash), _) => Scope::Release(hash.clone()),
                    (None, Some(id)) => Scope::Backfill(id.clone()),
                    (None, None) => Scope::Environment,
                };
                let number = orchestrator::add_hold(request, &scope, reason, *until).await?;
                match text {
                    true => say(format_args!(
                        "ON HOLD   hold {number} at {}; lift it with: pgdeploy hold lift {number} --env {}",
                        request.environment, request.environment
                    )),
                    false => say(json::pretty(&json!({"v": 1, "hold": number}))),
                }
            }
            Hold::List => {
                let all = orchestrator::holds(request).await?;
                match text {
                    true => say(gates::of_holds(&all, context.style).trim_end()),
                    false => say(json::pretty(&json!({"v": 1, "holds": gates::holds_json(&all)}))),
                }
            }
            Hold::Lift { numbers, reason, .. } => {
                orchestrator::lift_hold(request, numbers, reason.as_deref()).await?;
                match text {
                    true => say("LIFTED"),
                    false => say(json::pretty(&json!({"v": 1, "lifted": numbers}))),
                }
            }
        }
        Ok(())
    })
    .await
}

pub(crate) async fn ledger(
    global: &Global,
    environment: &Environment,
    command: &Ledger,
) -> Result<ExitCode, Told> {
    let Ledger::Create { approvers, readers, acting } = command;
    with(global, environment, Some(acting), async |request, context| {
        let grants = orchestrator::create_ledger(request, Beside { approvers, readers }).await?;
        match context.format {
            Format::Text => {
                grants.iter().for_each(|grant| say(format_args!("  {grant}")));
                say(format_args!(
                    "READY   the ledger of {} in the schema {}",
                    request.environment, request.ledger
                ));
            }
            _ => say(json::pretty(&json!({"v": 1, "ledger": request.ledger, "grants": grants}))),
        }
        Ok(())
    })
    .await
}

pub(crate) fn receipt(global: &Global, command: &Receipt) -> Result<ExitCode, Told> {
    let Receipt::Keys = command;
    let made = SigningKey::generate().and_then(|key| Ok((key.to_base64(), key.public()?.to_base64())));
    let (sign, public) = made.map_err(|error| {
        tell_failure(&Failure::local(format!("a key {error}")), global.format, Style::new(global.color), "")
    })?;
    match global.format {
        Format::Text => say(format_args!(
            "sign_key    {sign}\npublic_key  {public}\nThe first is a secret: keep it where the environment that writes receipts takes its variables from."
        )),
        _ => say(json::pretty(&json!({"v": 1, "sign_key": sign, "public_key": public}))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Does something with an environment's database that needs none of the environments before it.
async fn with(
    global: &Global,
    environment: &Environment,
    acting: Option<&Acting>,
    work: impl AsyncFnOnce(&Request, &Context) -> Result<(), Failure>,
) -> Result<ExitCode, Told> {
    let context = Context::load(global, environment.name.as_deref())?;
    let actor = acting.and_then(|acting| acting.actor.as_deref());
    let prepared = context
        .prepare(Prepare { actor, with_a_fleet: context.member.is_none(), ..Prepare::default() })
        .await?;
    let done = work(&prepared.request, &context).await;
    prepared.finish().await;
    done.map_err(|failure| context.tell(&failure))?;
    Ok(ExitCode::SUCCESS)
}
