//! `pgdeploy snapshot`: what all migrations make, in one file, for databases that are empty.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use orchestrator::{Failure, schema};
use pipeline::Pipeline;
use scratch::Binaries;

use crate::arguments::{Format, Global};
use crate::context::{load_pipeline, variable};
use crate::output::say;
use crate::rehearsal::Rehearsal;
use crate::render::words::counted;
use crate::render::{Style, json};
use crate::told::{Told, tell_error, tell_failure};

pub(crate) async fn run(global: &Global) -> Result<ExitCode, Told> {
    let style = Style::new(global.color);
    let pipeline = load_pipeline(global)?;
    let written = write(&pipeline).await.map_err(|error| tell_error(&error, global.format, style))?;
    let (path, files) = written.map_err(|failure| tell_failure(&failure, global.format, style, ""))?;
    match global.format {
        Format::Text => say(format_args!(
            "wrote {path}: it stands for {}; `pgdeploy check --apply` proves that it makes the same",
            counted(files, "migration", "migrations")
        )),
        _ => say(json::pretty(&serde_json::json!({"v": 1, "path": path, "migrations": files}))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the migrations on a throwaway server and dumps what they made: a database that is in use has drifted.
async fn write(pipeline: &Pipeline) -> anyhow::Result<Result<(String, usize), Failure>> {
    let mut rehearsal = Rehearsal::start(pipeline, pipeline.rehearsal(&variable)?)?;
    let report = rehearsal.deploy("snapshot", false).await?;
    if let Some(failure) = report.failure {
        return Ok(Err(failure));
    }
    let request = rehearsal.request("snapshot", false)?;
    let binaries = Binaries::find()?;
    let dump = Command::new(binaries.program("pg_dump"))
        .args(["--no-owner", "--inserts", "--exclude-schema", &request.ledger, "--dbname"])
        .arg(rehearsal.server().url("snapshot"))
        .output()
        .context("pg_dump cannot be run")?;
    if !dump.status.success() {
        bail!("pg_dump failed: {}", String::from_utf8_lossy(&dump.stderr).trim());
    }
    let migrations = &request.release.migrations;
    let version = binaries.major_version().to_string();
    let text = schema::compose(migrations, &version, &String::from_utf8_lossy(&dump.stdout));
    let path = pipeline.base_dir().join(rehearsal.snapshot());
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Ok((rehearsal.snapshot().display().to_string(), migrations.0.len())))
}
