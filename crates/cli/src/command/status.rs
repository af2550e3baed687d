//! `pgdeploy status`: where an environment stands.

use std::process::ExitCode;

use orchestrator::Verdict;

use crate::arguments::{Format, Global, Look};
use crate::context::{Context, Prepare, Told};
use crate::exit;
use crate::output::say;
use crate::render::{diagnostic, json, overview};

pub(crate) async fn run(global: &Global, look: &Look) -> Result<ExitCode, Told> {
    let context = Context::load(global, look.environment.name.as_deref())?;
    let prepared = context.prepare(Prepare::default()).await?;
    let looked = orchestrator::status(&prepared.request).await;
    prepared.finish().await;
    let (status, findings) = looked.map_err(|failure| context.tell(&failure))?;
    match context.format {
        Format::Text => {
            say(overview::of_status(&status, context.style).trim_end());
            if !findings.is_empty() {
                say(format_args!("\n{}", diagnostic::all(&findings, context.style)));
            }
        }
        _ => say(json::pretty(&status)),
    }
    Ok(match () {
        () if !findings.is_empty() => exit::of_verdict(Verdict::Integrity),
        () if look.detailed_exitcode && !status.up_to_date => ExitCode::from(exit::DETAILED),
        () => ExitCode::SUCCESS,
    })
}
