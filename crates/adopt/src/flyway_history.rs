//! Flyway's history: a row for everything that was ever done, with its rank.

use crate::flyway::{id, numbers};
use crate::history::{Outcome, Record, Row};
use crate::manifest::Entry;

/// Rows by rank. A baseline stands for everything up to it; an undo takes its version back; a deleted one never was.
pub(crate) fn records(rows: &[Row<'_>], entries: &[Entry]) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for row in rows {
        let kind = row.text("type")?;
        let version = row.text("version");
        let own = match &version {
            Some(version) => numbers(version).map_or_else(|| version.clone(), |numbers| id(&numbers)),
            // A repeatable one is known by its description.
            None => format!("R__{}", row.text("description")?.replace(' ', "_")),
        };
        let applied_at = row.text("installed_on");
        match kind.as_str() {
            "SCHEMA" => {}
            "BASELINE" | "SQL_BASELINE" => {
                let upto = numbers(version.as_deref()?)?;
                let covered =
                    entries.iter().filter(|entry| numbers(&entry.id).is_some_and(|each| each <= upto));
                records.extend(
                    covered.map(|entry| Record {
                        applied_at: applied_at.clone(),
                        ..Record::of(entry.id.clone())
                    }),
                );
            }
            _ => {
                let undone = kind.starts_with("UNDO") || kind == "DELETE";
                let outcome = match row.truth("success")? {
                    true if undone => Outcome::Undone,
                    true => Outcome::Applied,
                    false => Outcome::Failed,
                };
                records.push(Record {
                    outcome,
                    checksum: row.text("checksum").filter(|_| !undone),
                    applied_at,
                    duration_ms: row.number("execution_time"),
                    ..Record::of(own)
                });
            }
        }
    }
    Some(records)
}
