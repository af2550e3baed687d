//! What `init --from` has read and written, for people and for programs.

use serde_json::json;
use sql::Problem;

use crate::arguments::Format;
use crate::command::init_from::Outcome;
use crate::output::say;
use crate::render::words::counted;
use crate::render::{Style, diagnostic, json};

/// Shows it.
pub(crate) fn show(outcome: &Outcome, format: Format, style: Style) {
    match format {
        Format::Text => say(text(outcome, style).trim_end()),
        _ => say(json::pretty(&object(outcome))),
    }
}

/// Where a migration stands in the database that was named.
fn state(outcome: &Outcome, at: usize) -> &'static str {
    let Some(carried) = &outcome.carried else { return "" };
    match (outcome.placed[at].stem.is_some(), carried.pending.contains(&at)) {
        (false, _) => "no SQL",
        (_, true) => "pending",
        _ if carried.applied.iter().any(|(applied, _)| *applied == at) => "applied",
        _ => "to settle",
    }
}

fn text(outcome: &Outcome, style: Style) -> String {
    let mut text =
        format!("{} of {}", counted(outcome.placed.len(), "migration", "migrations"), outcome.tool.name());
    if let Some(table) = &outcome.table {
        text.push_str(&format!(", with its history in {table}"));
    }
    text.push('\n');
    for (at, placed) in outcome.placed.iter().enumerate() {
        let file = placed.stem.as_deref().unwrap_or("(nothing to run)");
        text.push_str(&format!("  {:<9} {:<40} {file}\n", state(outcome, at), placed.script.id));
    }
    outcome.notes.iter().for_each(|note| text.push_str(&format!("{} {note}\n", style.warning("note:"))));
    if let Some(carried) = outcome.carried.as_ref().filter(|carried| !carried.findings.is_empty()) {
        text.push_str(&format!(
            "\nto be settled when this database is adopted:\n{}\n",
            diagnostic::all(&carried.findings, style)
        ));
    }
    text.push_str(&guarded(outcome, style));
    match &outcome.written {
        None => {
            text.push_str("\nwould write:\n");
            outcome.files.iter().for_each(|file| text.push_str(&format!("  {}\n", file.path.display())));
            text.push_str("Nothing was written\n");
        }
        Some(written) => {
            text.push('\n');
            for file in &outcome.files {
                let word = if written.contains(&file.path) { "wrote" } else { "kept" };
                text.push_str(&format!("{word:<8} {}\n", file.path.display()));
            }
            text.push_str(&next(outcome));
        }
    }
    text
}

/// The guard's findings: all of them, each on its line.
fn guarded(outcome: &Outcome, style: Style) -> String {
    let mut text = String::new();
    if !outcome.excused.is_empty() {
        text.push_str(&format!(
            "\n{} of the guard in what is applied, now in {}:\n",
            counted(outcome.excused.len(), "finding", "findings"),
            guard::GRANDFATHERED_FILE
        ));
        for finding in &outcome.excused {
            let line = finding.place().line;
            text.push_str(&format!(
                "  {}:{line} {}: {}\n",
                finding.path.display(),
                finding.rule,
                finding.message
            ));
        }
    }
    let refusing: Vec<Problem> =
        outcome.standing.iter().filter(|finding| finding.refuses()).map(Problem::from).collect();
    if !refusing.is_empty() {
        text.push_str(&format!(
            "\nto be changed before they can be deployed:\n{}\n",
            diagnostic::all(&refusing, style)
        ));
    }
    text
}

fn next(outcome: &Outcome) -> String {
    let Outcome { environment, .. } = outcome;
    let mut text = "next: pgdeploy check\n".to_owned();
    if environment != "dev" {
        text.push_str("      pgdeploy deploy --env dev        all of it on a new, embedded server\n");
    }
    text.push_str(&format!(
        "      pgdeploy adopt --env {environment} --reason TEXT        what would be carried over; then with --yes\n"
    ));
    text
}

fn object(outcome: &Outcome) -> serde_json::Value {
    let migrations = outcome.placed.iter().enumerate().map(|(at, placed)| {
        let state = Some(state(outcome, at)).filter(|state| !state.is_empty());
        json!({"id": placed.script.id, "file": placed.stem, "from": placed.script.path, "state": state})
    });
    let finding = |finding: &guard::Finding| json!({"path": finding.path, "line": finding.place().line, "rule": finding.rule, "message": finding.message});
    let questions = outcome.carried.iter().flat_map(|carried| &carried.findings);
    json!({
        "v": 1,
        "tool": outcome.tool.name(),
        "history": outcome.table,
        "migrations": migrations.collect::<Vec<_>>(),
        "notes": outcome.notes,
        "to_settle": questions.map(|problem| json!({"code": problem.code, "path": problem.path, "message": problem.message, "help": problem.help})).collect::<Vec<_>>(),
        "excused": outcome.excused.iter().map(finding).collect::<Vec<_>>(),
        "standing": outcome.standing.iter().map(finding).collect::<Vec<_>>(),
        "files": outcome.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "written": outcome.written,
    })
}
