//! Results for programs: `--format json`.

use crate::render::ending::named;
use std::sync::atomic::{AtomicBool, Ordering};

use orchestrator::{Failure, FileProblem, Report};
use serde::Serialize;
use serde_json::{Value, json};

/// The result of a deploy.
pub(crate) fn of_deploy(report: &Report, environment: &str) -> Value {
    let summary = &report.summary;
    let migrations: Vec<_> = summary
        .migrations
        .iter()
        .map(|done| json!({"migration": done.migration, "duration_ms": done.duration.as_millis() as u64, "retries": done.retries}))
        .collect();
    let indexes: Vec<_> = summary
        .indexes
        .iter()
        .map(|item| json!({"index": item.name, "table": item.table, "outcome": item.outcome, "duration_ms": item.duration.as_millis() as u64, "size_bytes": item.size_bytes}))
        .collect();
    json!({
        "v": 1,
        "environment": environment,
        "deployment": report.deployment,
        "nothing_to_do": summary.nothing_to_do,
        "exit": report.exit,
        "services": report.services,
        "duration_ms": report.duration.as_millis() as u64,
        "migrations": migrations,
        "indexes": indexes,
        "backfills": summary.backfills,
        "warnings": report.warnings,
        "failure": report.failure.as_ref().map(|failure| of_failure(failure, environment)),
    })
}

/// A failure with its problems and their places.
pub(crate) fn of_failure(failure: &Failure, environment: &str) -> Value {
    json!({
        "code": failure.code,
        "message": failure.message,
        "problems": failure.problems.iter().map(FileProblem::from).collect::<Vec<_>>(),
        "evidence": failure.evidence,
        "next": failure.next.as_ref().map(|next| named(next, environment)),
    })
}

/// Whether every result stands on one line.
static LINES: AtomicBool = AtomicBool::new(false);

/// With `--format jsonl` every line is an object of its own.
pub(crate) fn one_line_each() {
    LINES.store(true, Ordering::Relaxed);
}

/// Any result, indented unless lines were asked for.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    match LINES.load(Ordering::Relaxed) {
        true => serde_json::to_string(value).unwrap_or_default(),
        false => indented(value),
    }
}

/// What is kept in files, whatever the format of results.
pub(crate) fn indented(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What is wrong with pipeline.yaml.
pub(crate) fn of_configuration(error: &pipeline::Error) -> Value {
    let problems: Vec<_> = error.problems.iter().map(FileProblem::from).collect();
    json!({"v": 1, "failure": {"code": CONFIGURATION.0, "message": CONFIGURATION.1, "problems": problems}})
}

/// Code and message of all that is wrong with pipeline.yaml.
pub(crate) const CONFIGURATION: (&str, &str) = ("E219", "pipeline.yaml cannot be used");
