//! How long a statement would take on the target: the rate measured here, times the target's size.

use crate::observation::Before;
use crate::report::{Estimate, StatementReport};
use crate::sizes::Sizes;

/// Fewer rows than this say nothing about the rate: what was measured is the statement's fixed cost.
const ENOUGH_ROWS: f64 = 1_000.0;

/// An estimate for each table that the statement goes through.
pub(crate) fn of(statement: &StatementReport, before: &Before, sizes: &Sizes) -> Vec<Estimate> {
    let mut tables: Vec<&String> = statement.scans.iter().map(|scan| &scan.relation).collect();
    tables.extend(&statement.rewritten);
    tables.extend(statement.rows.iter().map(|change| &change.relation));
    tables.sort();
    tables.dedup();
    tables.into_iter().filter_map(|table| one(table, statement, before, sizes)).collect()
}

fn one(table: &str, statement: &StatementReport, before: &Before, sizes: &Sizes) -> Option<Estimate> {
    let (schema, name, rows, bytes) = before.measured(table)?;
    let size = sizes.get(&(schema.to_owned(), name.to_owned()));
    let scanned = statement.scans.iter().find(|scan| scan.relation == table);
    // What it has read is exact; what the catalog says may be old.
    let here = scanned.map(|scan| scan.rows as f64 / scan.times.max(1) as f64).or(rows).unwrap_or(0.0);
    let mut estimate = Estimate {
        relation: table.to_owned(),
        target_rows: size.and_then(|size| size.rows).map(|rows| rows as u64),
        target_bytes: size.map(|size| size.bytes),
        duration_ms: None,
        not_measurable: None,
    };
    let Some(size) = size else {
        estimate.not_measurable = Some("the target has no such table".into());
        return Some(estimate);
    };
    if here < ENOUGH_ROWS {
        let what = if here < 1.0 { "is empty".to_owned() } else { format!("has {here:.0} rows") };
        estimate.not_measurable = Some(format!("{table} {what} on the throwaway server"));
        return Some(estimate);
    }
    let by_rows = size.rows.map(|rows| rows / here);
    let by_bytes = (bytes > 0).then(|| size.bytes as f64 / bytes as f64);
    // Wide rows make pages count, many short ones rows: the worse of the two.
    let factor = [by_rows, by_bytes]
        .into_iter()
        .flatten()
        .fold(None, |worst: Option<f64>, factor| Some(worst.map_or(factor, |worst| worst.max(factor))));
    match factor {
        Some(factor) => estimate.duration_ms = Some(statement.duration_ms * factor),
        None => estimate.not_measurable = Some("the target's size is not known: ANALYZE it".into()),
    }
    Some(estimate)
}
