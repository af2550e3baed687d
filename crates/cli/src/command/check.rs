//! `pgdeploy check`: everything that needs no database.

use std::process::ExitCode;

use orchestrator::Failure;

use crate::arguments::{Environment, Format, Global};
use crate::context::{Context, Told};
use crate::output::say;
use crate::render::json;

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<ExitCode, Told> {
    let context = Context::load(global, environment.name.as_deref())?;
    let release = context.release()?;
    let problems = release.check();
    if !problems.is_empty() {
        return Err(context.tell(&Failure::files(problems)));
    }
    orchestrator::judged(&context.directory(), &release)
        .and_then(orchestrator::refuse)
        .map_err(|failure| context.tell(&failure))?;
    let (migrations, indexes, backfills) =
        (release.migrations.0.len(), release.indexes.len(), release.backfills.len());
    match context.format {
        Format::Text => say(format_args!(
            "ok   release {}   {migrations} migrations, {indexes} indexes, {backfills} backfills",
            release.short_hash()
        )),
        _ => say(json::pretty(
            &serde_json::json!({"v": 1, "release": release.hash, "migrations": migrations, "indexes": indexes, "backfills": backfills}),
        )),
    }
    Ok(ExitCode::SUCCESS)
}
