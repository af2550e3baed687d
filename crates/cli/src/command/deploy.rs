//! `pgdeploy deploy`.

use std::io::Write;
use std::process::ExitCode;

use orchestrator::{Record, Report};

use crate::arguments::{Deploy, Format, Global};
use crate::context::{Context, Prepare, Told};
use crate::exit;
use crate::output::{say, tell};
use crate::render::screen::Screen;
use crate::render::{ending, json};
use crate::signals::Signals;

pub(crate) async fn run(global: &Global, deploy: &Deploy) -> Result<ExitCode, Told> {
    let context = Context::load(global, deploy.environment.name.as_deref())?;
    let text = context.format == Format::Text;
    let signals = Signals::listen(move || {
        if text {
            tell(format_args!("stopping at the next safe point; once more to stop at once"));
        }
    })
    .map_err(|error| context.tell_error(&error.into()))?;
    let prepared = context.prepare(Prepare { with_upstreams: true, actor: deploy.actor.as_deref() }).await?;
    let report = match context.format {
        Format::Text if context.quiet => {
            orchestrator::deploy(&prepared.request, &|_| {}, &signals.stop).await
        }
        Format::Text => on_a_screen(&context, &prepared.request, &signals).await,
        Format::Json => orchestrator::deploy(&prepared.request, &|_| {}, &signals.stop).await,
        Format::Jsonl => orchestrator::deploy(&prepared.request, &line, &signals.stop).await,
    };
    prepared.finish().await;
    let code = exit::of_deploy(&report, deploy.detailed_exitcode, signals.received());
    let name = &context.environment.name;
    match context.format {
        Format::Text => say(ending::of_deploy(&report, name, code, context.style).trim_end()),
        Format::Json => say(json::pretty(&json::of_deploy(&report, name, code))),
        Format::Jsonl => {}
    }
    Ok(ExitCode::from(code))
}

async fn on_a_screen(context: &Context, request: &orchestrator::Request, signals: &Signals) -> Report {
    let screen = Screen::new(context.style);
    let report = orchestrator::deploy(request, &|record| screen.show(record), &signals.stop).await;
    screen.end();
    report
}

/// A line of `--format jsonl`.
fn line(record: &Record) {
    let text = serde_json::to_string(record).unwrap_or_default();
    // A reader that has gone away does not end a deploy.
    let _ = writeln!(std::io::stdout(), "{text}");
}
