//! Backfills for people: where they stand, what a run would be like, what could not be done.

use orchestrator::backfill::{Aside, Outcome, Preflight, Proof, Standing};
use serde_json::{Value, json};

use crate::render::Style;
use crate::render::words::{bar, counted, grouped};

/// Units that are listed one by one.
const UNITS: usize = 20;

/// Where backfills stand.
pub(crate) fn of_standing(all: &[Standing], style: Style) -> String {
    let mut text = String::new();
    for one in all {
        let rows = match one.state.as_str() {
            "new" => String::new(),
            "done" => format!("   {} rows", grouped(one.rows)),
            _ => format!(
                "   {}   {} of {} rows",
                bar(one.rows, one.estimated_rows),
                grouped(one.rows),
                grouped(one.estimated_rows.max(one.rows))
            ),
        };
        let state = match one.state.as_str() {
            "done" | "running" => style.good(&one.state),
            "new" => style.faint(&one.state),
            _ => style.warning(&one.state),
        };
        text.push_str(&format!("{}   {state}{rows}   on {}\n", style.strong(&one.id), one.table));
        let mut line = |label: &str, value: String| text.push_str(&format!("    {label:<12}{value}\n"));
        if !one.workers.is_empty() {
            line("at work", one.workers.join("; "));
        }
        if one.level != "free" {
            line("pace", format!("{}: {}", one.level, one.reasons.join("; ")));
        }
        if let Some(speed) = &one.speed {
            line("asked for", speed.clone());
        }
        if one.revision > 0 {
            line("revision", one.revision.to_string());
        }
        if one.skipped > 0 {
            line("locked", counted(one.skipped as usize, "row to visit again", "rows to visit again"));
        }
        if one.quarantined > 0 {
            line(
                "quarantine",
                format!("{}: pgdeploy backfill quarantine list {}", grouped(one.quarantined), one.id),
            );
        }
        if one.take_overs > 0 {
            line("taken over", counted(one.take_overs as usize, "range", "ranges"));
        }
        if let Some(error) = &one.error {
            line("why", error.clone());
        }
        if let Some(at) = &one.verified_at {
            line("proven", at.clone());
        }
        let open: Vec<_> =
            one.units.iter().filter(|unit| unit.state != "done" && unit.state != "gone").collect();
        if !one.units.is_empty() {
            line("parts", format!("{} of {} done", one.units.len() - open.len(), one.units.len()));
        }
        for unit in open.iter().take(UNITS) {
            let name = if unit.name.is_empty() { "(without)" } else { unit.name.as_str() };
            let error = unit.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            line("", format!("{name}   {}   {} rows{error}", unit.state, grouped(unit.rows)));
        }
        if open.len() > UNITS {
            line("", format!("and {} more", open.len() - UNITS));
        }
    }
    if text.is_empty() { "there are no backfills\n".into() } else { text }
}

/// What a run would be like.
pub(crate) fn of_preflight(one: &Preflight, style: Style, sql: bool) -> String {
    let mut text = format!("{}   on {}\n", style.strong(&one.id), one.table);
    let mut line = |label: &str, value: String| text.push_str(&format!("    {label:<12}{value}\n"));
    line("rows", format!("about {}", grouped(one.estimated_rows)));
    line("walk", format!("{}, by {}", one.walk, one.units));
    if let Some(percent) = one.hot_percent {
        line("HOT", format!("about {percent} % of the updates stay on their page"));
    }
    match one.indexes.is_empty() {
        true => line("indexes", "none on a column that is assigned to".into()),
        false => line(
            "indexes",
            style.warning(&format!(
                "{} hold a column that is assigned to: every update writes to every index; better built after it",
                one.indexes.join(", ")
            )),
        ),
    }
    for trigger in &one.triggers {
        line("trigger", trigger.clone());
    }
    for note in &one.notes {
        line("note", note.clone());
    }
    for (at, explained) in one.explain.iter().enumerate() {
        line(if at == 0 { "plan" } else { "" }, explained.clone());
    }
    if sql {
        for (at, written) in one.sql.lines().enumerate() {
            line(if at == 0 { "statement" } else { "" }, written.to_owned());
        }
    }
    text
}

/// Whether backfills are complete.
pub(crate) fn of_proofs(proofs: &[(String, Proof)], style: Style) -> String {
    let lines = proofs.iter().map(|(id, proof)| match proof {
        Proof::Complete => format!("{id}   {}\n", style.good("complete, proven now")),
        Proof::NotComplete { reason, percent } => {
            let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
            format!("{id}   {}{percent}: {reason}\n", style.warning("not complete"))
        }
    });
    lines.collect()
}

/// The same for programs.
pub(crate) fn proofs_json(proofs: &[(String, Proof)]) -> Value {
    let all = proofs.iter().map(|(id, proof)| match proof {
        Proof::Complete => json!({"id": id, "complete": true, "percent": 100, "reason": null}),
        Proof::NotComplete { reason, percent } => {
            json!({"id": id, "complete": false, "percent": percent, "reason": reason.to_string()})
        }
    });
    json!({"v": 1, "backfills": all.collect::<Vec<_>>()})
}

/// Rows that could not be done.
pub(crate) fn of_quarantine(rows: &[Aside], style: Style) -> String {
    if rows.is_empty() {
        return "no row is in quarantine\n".into();
    }
    let lines = rows.iter().map(|row| {
        let unit = if row.unit.is_empty() { String::new() } else { format!(" of {}", row.unit) };
        let accepted = row.accepted.as_ref().map(|by| style.faint(&format!("   accepted by {by}")));
        format!(
            "({}){unit}   since {}   {}{}\n",
            row.key.join(", "),
            row.since,
            row.message,
            accepted.unwrap_or_default()
        )
    });
    lines.collect()
}

/// The end of a run.
pub(crate) fn of_outcome(outcome: &Outcome, style: Style, exit: u8) -> String {
    let head = match (outcome.interrupted, outcome.warnings.is_empty()) {
        (true, _) => style.warning("INTERRUPTED"),
        (_, true) => style.good("COMPLETE"),
        _ => style.warning("NOT COMPLETE"),
    };
    let mut text = format!("{head}   exit {exit}\n");
    for warning in &outcome.warnings {
        text.push_str(&format!("  {} {}\n", style.warning(warning.code), warning.message));
        if let Some(next) = &warning.next {
            text.push_str(&format!("       {next}\n"));
        }
    }
    text
}
