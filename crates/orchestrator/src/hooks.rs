//! Programs of the user's at fixed points of a deploy. Each is in the ledger before it runs, and again with its end.

use std::time::Instant;

use pipeline::{Hook, IfInterrupted, Point};
use postgres::{Error, Row, Session, query};
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::deployment::Deployment;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::record::Recorder;
use crate::request::Request;
use crate::services::milliseconds;
use crate::variables::Variables;

/// What somebody says about a hook whose end nobody has seen: `--settle-hook POINT/NAME=done`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledHook {
    /// Such as `before_deploy/backup`.
    pub hook: String,
    /// Whether it has done its work, and so is not run again.
    pub is_done: bool,
}

/// Refuses to go on where an earlier deploy died inside a hook that must not run twice, until somebody has said how it
/// ended.
pub(crate) async fn ask(request: &Request, session: &mut Session) -> Result<(), Failure> {
    for settled in &request.settled_hooks {
        if !request.hooks.iter().any(|hook| path(hook) == settled.hook) {
            return Err(Failure::no_such_hook(&settled.hook));
        }
    }
    for hook in request.hooks.iter().filter(|hook| hook.if_interrupted == IfInterrupted::Ask) {
        let is_settled = request.settled_hooks.iter().any(|settled| settled.hook == path(hook));
        if is_settled {
            continue;
        }
        if let Some(deployment) = unknown(hook, request, session).await.map_err(Failure::session)? {
            return Err(Failure::hook_in_doubt(&path(hook), deployment));
        }
    }
    Ok(())
}

/// The deployment that died while the hook ran, if its last run was that one.
async fn unknown(hook: &Hook, request: &Request, session: &mut Session) -> Result<Option<i64>, Error> {
    if !postgres::ledger::exists(session, &request.ledger).await? {
        return Ok(None);
    }
    let text = format!(
        "SELECT deployment, status FROM {}.hooks WHERE point = $1 AND name = $2 ORDER BY deployment DESC LIMIT 1",
        sql::identifier(&request.ledger)
    );
    let last = query(&text).bind(hook.point.as_str()).bind(&hook.name);
    let Some(row) = last.fetch_optional(session.connection()).await? else { return Ok(None) };
    let status: String = row.try_get(1)?;
    Ok(if status == "running" { Some(row.try_get(0)?) } else { None })
}

/// Runs those of a point, one after the other, until one fails.
pub(crate) async fn run(
    point: Point,
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
    interrupt: &CancellationToken,
) -> Result<(), Failure> {
    for hook in request.hooks.at(point) {
        if request.settled_hooks.iter().any(|settled| settled.is_done && settled.hook == path(hook)) {
            deployment.hook(hook, "settled", "somebody said that it had done its work").await?;
            continue;
        }
        let variables = Variables::new(request, deployment.number);
        tokio::select! {
            biased;
            () = interrupt.cancelled() => return Err(Failure::interrupted(format!("interrupted in the hook {}", path(hook)))),
            ran = one(hook, variables, request, deployment, recorder) => {
                ran?.map_err(|message| Failure::hook(&path(hook), &message))?;
            }
        }
    }
    Ok(())
}

/// Runs all of a point that tells others how it ended; what fails of them.
pub(crate) async fn tell(
    point: Point,
    ended: (&str, i32, Option<&Failure>),
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
) -> Vec<String> {
    let (status, exit, failure) = ended;
    let mut failed = Vec::new();
    for hook in request.hooks.at(point) {
        let variables = Variables::new(request, deployment.number)
            .with("PGDEPLOY_STATUS", status)
            .with("PGDEPLOY_EXIT_CODE", exit.to_string())
            .with("PGDEPLOY_CODE", failure.map_or("", |failure| failure.code))
            .with("PGDEPLOY_MESSAGE", failure.map_or("", |failure| failure.message.as_str()));
        let ran = one(hook, variables, request, deployment, recorder).await;
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(message)) => failed.push(format!("the hook {} failed: {message}", path(hook))),
            Err(failure) => failed.push(format!("the hook {}: {}", path(hook), failure.message)),
        }
    }
    failed
}

/// The outer error is the ledger's, the inner one the hook's.
async fn one(
    hook: &Hook,
    variables: Variables,
    request: &Request,
    deployment: &mut Deployment,
    recorder: &Recorder<'_>,
) -> Result<Result<(), String>, Failure> {
    let (point, name) = (hook.point.as_str(), hook.name.clone());
    let variables = variables.with("PGDEPLOY_HOOK", path(hook));
    deployment.hook(hook, "running", "").await?;
    recorder.record(DeployEvent::HookStarted { point, name: name.clone() });
    let started = Instant::now();
    let Hook { command, .. } = hook;
    let ran =
        command::run(&command.run, &request.directory, &variables, command.timeout, &request.secrets).await;
    let duration_ms = milliseconds(started);
    match ran {
        Ok(said) => {
            deployment.hook(hook, "done", &said).await?;
            recorder.record(DeployEvent::HookFinished { point, name, duration_ms });
            Ok(Ok(()))
        }
        Err(message) => {
            deployment.hook(hook, "failed", &message).await?;
            recorder.record(DeployEvent::HookFailed { point, name, message: message.clone() });
            Ok(Err(message))
        }
    }
}

/// As it is named in messages: `before_deploy/backup`.
fn path(hook: &Hook) -> String {
    format!("{}/{}", hook.point.as_str(), hook.name)
}
