//! `plan --prove` for people: what each statement did on the throwaway server.

use prove::{Estimate, FileReport, StatementReport};

use crate::command::proof::Proof;
use crate::render::Style;
use crate::render::words::{bytes, grouped, time};

/// The report.
pub(crate) fn of(proof: &Proof, style: Style) -> String {
    let mut text = format!("proof           on a throwaway PostgreSQL {}\n", proof.server);
    for note in &proof.notes {
        text.push_str(&format!("                {}\n", style.warning(note)));
    }
    for file in &proof.files {
        text.push_str(&of_file(file, style));
    }
    text
}

fn of_file(file: &FileReport, style: Style) -> String {
    let path = file.path.display();
    let mut text = format!("{}   {}\n", style.strong(&path.to_string()), duration(file.duration_ms));
    for statement in &file.statements {
        text.push_str(&of_statement(statement, style));
    }
    if let Some(said) = &file.failed {
        text.push_str(&format!("    {}\n", style.bad(&format!("failed: {said}"))));
    }
    let held = file.held.iter().filter(|held| held.mode.blocks_an_application());
    let held: Vec<String> = held
        .map(|held| format!("{} {} {}", held.relation, held.mode.as_str(), duration(held.held_ms)))
        .collect();
    if !held.is_empty() {
        let until = if file.transaction { "to COMMIT" } else { "statement by statement" };
        text.push_str(&format!("    held {until}: {}\n", held.join(", ")));
    }
    text
}

fn of_statement(statement: &StatementReport, style: Style) -> String {
    let sampled = if statement.sampled { ", sampled" } else { "" };
    let mut text = format!(
        "  {:>4}  {}   {}, {} of WAL{sampled}\n",
        statement.line,
        statement.text,
        duration(statement.duration_ms),
        bytes(i64::try_from(statement.wal_bytes).unwrap_or(i64::MAX))
    );
    let mut line = |what: String| text.push_str(&format!("        {what}\n"));
    for lock in &statement.locks {
        let told = format!("locks {} {}: blocks {}", lock.relation, lock.mode.as_str(), lock.blocks);
        line(if lock.mode.blocks_an_application() { style.warning(&told) } else { style.faint(&told) });
    }
    if !statement.rewritten.is_empty() {
        line(style.bad(&format!("rewrites {}", statement.rewritten.join(", "))));
    }
    for scan in &statement.scans {
        line(style.warning(&format!("scans {} ({} rows)", scan.relation, grouped(scan.rows.unsigned_abs()))));
    }
    for rows in &statement.rows {
        let (inserted, updated, deleted) = (rows.inserted, rows.updated, rows.deleted);
        let counts = match inserted + updated + deleted {
            0 => "none matched here".to_owned(),
            _ => format!("{inserted} inserted, {updated} updated, {deleted} deleted"),
        };
        line(style.bad(&format!("changes rows of {}: {counts}", rows.relation)));
    }
    for said in &statement.server {
        line(style.faint(&format!("server: {said}")));
    }
    for estimate in &statement.estimates {
        line(of_estimate(estimate));
    }
    text
}

fn of_estimate(estimate: &Estimate) -> String {
    let rows = estimate.target_rows.map(|rows| format!("about {} rows", grouped(rows)));
    let size = estimate.target_bytes.map(|size| bytes(i64::try_from(size).unwrap_or(i64::MAX)));
    let size: Vec<String> = [rows, size].into_iter().flatten().collect();
    let told = match (estimate.duration_ms, &estimate.not_measurable) {
        (Some(ms), _) => format!("about {}", duration(ms)),
        (None, Some(why)) => format!("not measurable, {why}"),
        (None, None) => "not measurable".into(),
    };
    format!("on the target: {} ({}): {told}", estimate.relation, size.join(", "))
}

fn duration(milliseconds: f64) -> String {
    match milliseconds {
        _ if milliseconds < 10.0 => format!("{milliseconds:.1}ms"),
        _ => time(std::time::Duration::from_secs_f64(milliseconds / 1_000.0)),
    }
}
