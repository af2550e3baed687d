//! `pgdeploy deploy`, and what every command that is watched like one shares.

use std::process::ExitCode;

use orchestrator::{Observer, Override, PlanFile, Record, Report};

use crate::arguments::{Deploy, Format, Global};
use crate::command::fleet;
use crate::context::{Context, Prepare, Prepared};
use crate::exit;
use crate::output::{say, tell};
use crate::render::screen::Screen;
use crate::render::{ending, json};
use crate::signals::Signals;
use crate::told::{Told, tell_configuration};

pub(crate) async fn run(global: &Global, deploy: &Deploy) -> Result<ExitCode, Told> {
    let context = Context::load(global, deploy.environment.name.as_deref())?;
    if context.environment.fleet.is_some() {
        return fleet::deploy(&context, deploy).await;
    }
    let signals = listen(&context)?;
    let prepared = prepare(&context, deploy, &signals).await?;
    let request = &prepared.request;
    let report =
        watched(&context, async |observer| orchestrator::deploy(request, observer, &signals.stop).await)
            .await;
    prepared.finish().await;
    Ok(told(&context, &report))
}

/// The request of a deploy, with all that can be said of one.
pub(crate) async fn prepare(context: &Context, deploy: &Deploy, signals: &Signals) -> Result<Prepared, Told> {
    if let Some(Err(error)) = context.environment.gates.receipt.as_ref().map(|receipt| &receipt.key) {
        return Err(tell_configuration(error, context.format, context.style));
    }
    let expected = deploy.plan.as_deref().map(PlanFile::read).transpose();
    let expected = expected.map_err(|failure| context.tell(&failure))?;
    let what = Prepare { with_upstreams: true, actor: deploy.actor.as_deref(), ..Prepare::default() };
    let mut prepared = context.prepare(what).await?;
    let overriding = &deploy.overriding;
    let request = &mut prepared.request;
    request.exit = signals.exit(deploy.detailed_exitcode);
    request.settled_hooks.clone_from(&deploy.settle_hook);
    request.expected = expected;
    request.overridden =
        overriding.gate.zip(overriding.reason.clone()).map(|(gate, reason)| Override { gate, reason });
    Ok(prepared)
}

/// Has signals stop the work at its next safe point.
pub(crate) fn listen(context: &Context) -> Result<Signals, Told> {
    let text = context.format == Format::Text;
    Signals::listen(move || {
        if text {
            tell(format_args!("stopping at the next safe point; once more to stop at once"));
        }
    })
    .map_err(|error| context.tell_error(&error.into()))
}

/// Shows the records of some work as they happen, in the format that was asked for.
pub(crate) async fn watched<T>(context: &Context, work: impl AsyncFnOnce(Observer<'_>) -> T) -> T {
    match context.format {
        Format::Text if !context.quiet => {
            let screen = Screen::new(context.style);
            let report = work(&|record| screen.show(record)).await;
            screen.end();
            report
        }
        Format::Text | Format::Json => work(&|_| {}).await,
        Format::Jsonl | Format::Events => work(&line).await,
    }
}

/// Says how it ended; the process's exit code.
pub(crate) fn told(context: &Context, report: &Report) -> ExitCode {
    let name = &context.environment.name;
    match context.format {
        Format::Text => say(ending::of_deploy(report, name, context.style).trim_end()),
        Format::Json => say(json::pretty(&json::of_deploy(report, name))),
        Format::Jsonl | Format::Events => {}
    }
    exit::of(report.exit)
}

/// A line of `--format jsonl`.
pub(crate) fn line(record: &Record) {
    say(serde_json::to_string(record).unwrap_or_default());
}
