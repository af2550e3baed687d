//! Results for programs: `--format json`.

use crate::render::ending::named;
use orchestrator::{Failure, Report};
use serde::Serialize;
use serde_json::{Value, json};

/// The result of a deploy.
pub(crate) fn of_deploy(report: &Report, environment: &str, exit: u8) -> Value {
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
        "exit": exit,
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
        "problems": failure.problems.iter().map(of_problem).collect::<Vec<_>>(),
        "evidence": failure.evidence,
        "next": failure.next.as_ref().map(|next| named(next, environment)),
    })
}

/// A problem with its place.
pub(crate) fn of_problem(problem: &sql::Problem) -> Value {
    let place = problem.place();
    json!({
        "code": problem.code,
        "message": problem.message,
        "path": problem.path,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "help": problem.help,
    })
}

/// Any result as indented JSON.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What is wrong with pipeline.yaml.
pub(crate) fn of_configuration(error: &pipeline::Error) -> Value {
    let problems = error.problems.iter().map(|problem| {
        json!({
            "code": problem.code,
            "message": problem.message,
            "path": problem.path,
            "line": problem.line(),
            "column": problem.column(),
            "help": problem.help,
        })
    });
    json!({"v": 1, "failure": {"code": "E219", "message": "pipeline.yaml cannot be used", "problems": problems.collect::<Vec<_>>()}})
}
