//! `pgdeploy check`: everything that needs no database of anybody's.

use std::process::ExitCode;

use orchestrator::Failure;

use crate::arguments::{Check, Format, Global};
use crate::command::apply;
use crate::context::{Files, load_pipeline};
use crate::output::say;
use crate::render::words::counted;
use crate::render::{Style, json};
use crate::told::{Told, tell_failure};

pub(crate) async fn run(global: &Global, check: &Check) -> Result<ExitCode, Told> {
    let Files { directory, release } = Files::load(global, check.environment.name.as_deref())?;
    let tell = |failure: Failure| tell_failure(&failure, global.format, Style::new(global.color), "");
    let problems = release.check();
    if !problems.is_empty() {
        return Err(tell(Failure::files(problems)));
    }
    orchestrator::judged(&directory, &release).and_then(orchestrator::refuse).map_err(tell)?;
    if check.apply {
        return apply::run(&load_pipeline(global)?, &release, global.format, Style::new(global.color)).await;
    }
    let (migrations, indexes, backfills) =
        (release.migrations.0.len(), release.indexes.len(), release.backfills.len());
    // The settings of an environment are part of what a release is: without one there is none to name.
    let named = check.environment.name.is_some();
    match global.format {
        Format::Text => say(format_args!(
            "ok   {}{}, {}, {}",
            if named { format!("release {}   ", release.short_hash()) } else { String::new() },
            counted(migrations, "migration", "migrations"),
            counted(indexes, "index", "indexes"),
            counted(backfills, "backfill", "backfills")
        )),
        _ => say(json::pretty(
            &serde_json::json!({"v": 1, "release": named.then_some(&release.hash), "migrations": migrations, "indexes": indexes, "backfills": backfills}),
        )),
    }
    Ok(ExitCode::SUCCESS)
}
