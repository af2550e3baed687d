//! `pgdeploy check --apply`: the release proven on a throwaway server.

use std::process::ExitCode;

use orchestrator::{Failure, Release, Report};
use pipeline::Pipeline;
use sql::Problem;

use crate::arguments::Format;
use crate::context::variable;
use crate::exit;
use crate::output::say;
use crate::rehearsal::Rehearsal;
use crate::render::words::{counted, milliseconds};
use crate::render::{Style, json};
use crate::told::{Told, tell_configuration, tell_error, tell_failure};

/// What was proven, for people and for programs.
#[derive(Default, serde::Serialize)]
struct Proven {
    v: u32,
    migrations: usize,
    indexes: usize,
    backfills: usize,
    duration_ms: u64,
    round_trips: usize,
    without_a_way_back: usize,
    snapshot: Option<String>,
    objects: usize,
    roles_made: Vec<String>,
}

pub(crate) async fn run(
    pipeline: &Pipeline,
    release: &Release,
    format: Format,
    style: Style,
) -> Result<ExitCode, Told> {
    let failed = |failure: Failure| tell_failure(&failure, format, style, "");
    let environment =
        pipeline.rehearsal(&variable).map_err(|error| tell_configuration(&error, format, style))?;
    let mut rehearsal =
        Rehearsal::start(pipeline, environment).map_err(|error| tell_error(&error, format, style))?;
    let mut proven = Proven { v: 1, ..Proven::default() };

    let report = rehearsal.deploy("chain", false).await.map_err(|error| tell_error(&error, format, style))?;
    let report = succeeded(report).map_err(failed)?;
    (proven.migrations, proven.indexes, proven.backfills) =
        (release.migrations.0.len(), release.indexes.len(), release.backfills.len());
    proven.duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    let again = rehearsal.again("chain", false).await.map_err(|error| tell_error(&error, format, style))?;
    let again = succeeded(again).map_err(failed)?;
    if !again.summary.nothing_to_do {
        return Err(failed(Failure::rehearsal(
            "E132",
            "a second deploy of the same files still finds something to do",
            Vec::new(),
        )));
    }
    let chain = rehearsal
        .fingerprint("chain")
        .await
        .map_err(|error| tell_error(&error, format, style))?
        .map_err(failed)?;
    proven.objects = chain.len();

    let trips =
        rehearsal.round_trips().await.map_err(|error| tell_error(&error, format, style))?.map_err(failed)?;
    if !trips.problems.is_empty() {
        return Err(failed(Failure::rehearsal("E130", "down files do not lead back", trips.problems)));
    }
    (proven.round_trips, proven.without_a_way_back) = (trips.proven, trips.without);

    if rehearsal.has_snapshot() {
        let report =
            rehearsal.deploy("snapshot", true).await.map_err(|error| tell_error(&error, format, style))?;
        succeeded(report).map_err(failed)?;
        let loaded = rehearsal
            .fingerprint("snapshot")
            .await
            .map_err(|error| tell_error(&error, format, style))?
            .map_err(failed)?;
        let difference = chain.difference(&loaded);
        if !difference.is_empty() {
            let message = format!("does not make what the files make:\n{}", difference.join("\n"));
            let problem = Problem::with_file("E131", rehearsal.snapshot(), message)
                .help("write it anew: pgdeploy snapshot");
            return Err(failed(Failure::rehearsal(
                "E131",
                "the snapshot differs from the files",
                vec![problem],
            )));
        }
        proven.snapshot = Some(rehearsal.snapshot().display().to_string());
    }
    proven.roles_made = rehearsal.roles.clone();
    match format {
        Format::Text => tell(&proven, style),
        _ => say(json::pretty(&serde_json::to_value(&proven).unwrap_or_default())),
    }
    Ok(ExitCode::from(exit::DONE))
}

fn tell(proven: &Proven, style: Style) {
    let chain = format!(
        "{}, {}, {} from nothing in {}; again: nothing to do",
        counted(proven.migrations, "migration", "migrations"),
        counted(proven.indexes, "index", "indexes"),
        counted(proven.backfills, "backfill", "backfills"),
        milliseconds(proven.duration_ms)
    );
    say(format_args!("chain           {chain}"));
    say(format_args!(
        "there and back  {}; {} without a .down.sql",
        counted(proven.round_trips, "migration", "migrations"),
        proven.without_a_way_back
    ));
    if let Some(snapshot) = &proven.snapshot {
        let objects = counted(proven.objects, "object", "objects");
        say(format_args!("snapshot        {snapshot} makes what the files make ({objects})"));
    }
    if !proven.roles_made.is_empty() {
        say(format_args!("roles           made on the throwaway server: {}", proven.roles_made.join(", ")));
    }
    say(style.good("APPLIES: the release was proven on a throwaway server"));
}

/// On an empty database nothing can be in the way: a warning is a mistake in a file.
fn succeeded(report: Report) -> Result<Report, Failure> {
    if let Some(failure) = report.failure {
        return Err(failure);
    }
    if report.warnings.is_empty() {
        return Ok(report);
    }
    let told =
        report.warnings.iter().map(|warning| format!("{} {}", warning.code, warning.message)).collect();
    Err(Failure::fell_short(told))
}
