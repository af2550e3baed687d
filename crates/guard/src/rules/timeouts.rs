//! Timeouts switched off or raised in a file.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "timeouts",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a file switches a timeout off or raises it",
    lock: "none",
    why: "The deploy sets lock_timeout and statement_timeout; without them a waiting ALTER TABLE holds up every query behind it.",
    rewrite: "-- delete the statement: the timeouts are in pipeline.yaml",
    bad: &[
        "set lock_timeout = 0",
        "set local statement_timeout to '0'",
        "set lock_timeout = '10min'",
        "reset lock_timeout",
        "select set_config('lock_timeout', '0', true)",
    ],
    good: &["set local lock_timeout = '2s'", "set statement_timeout = '60s'"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some((name, value)) = super::setting(look) else { return Vec::new() };
    let most = match name.as_str() {
        "lock_timeout" => 10_000,
        "statement_timeout" | "transaction_timeout" | "idle_in_transaction_session_timeout" => 3_600_000,
        _ => return Vec::new(),
    };
    let limit = value.as_deref().map_or(Some(0), milliseconds);
    match limit {
        Some(0) => vec![Found::new(format!("{name} is switched off for the rest of the file"))],
        Some(limit) if limit > most => {
            vec![Found::new(format!("{name} is raised to {}", value.unwrap_or_default()))]
        }
        _ => Vec::new(),
    }
}

/// A duration as settings are written; milliseconds without a unit.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}
