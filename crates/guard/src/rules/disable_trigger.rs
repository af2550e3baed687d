//! DISABLE TRIGGER and session_replication_role.

use crate::rule::{Found, Kind, Look, Rule};
use crate::severity::Severity;
use sql::ast::AlterTableType;

pub(super) const RULE: Rule = Rule {
    id: "disable-trigger",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "triggers or foreign keys are switched off",
    lock: "SHARE ROW EXCLUSIVE on the table",
    why: "What the application writes meanwhile goes unchecked, and ALL switches foreign keys off as well.",
    rewrite: "-- write the change so that the triggers may fire",
    bad: &[
        "alter table leads disable trigger all",
        "alter table leads disable trigger t",
        "set session_replication_role = replica",
    ],
    good: &["alter table leads enable trigger t", "set session_replication_role = default"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    use AlterTableType::{AtDisableTrig, AtDisableTrigAll, AtDisableTrigUser};
    let mut found: Vec<Found> = look
        .altering(&[AtDisableTrig, AtDisableTrigAll, AtDisableTrigUser])
        .iter()
        .map(|(table, _)| Found::new(format!("triggers of {table} are switched off for everybody")))
        .collect();
    if let Some((name, value)) = super::setting(look)
        && name == "session_replication_role"
        && value.as_deref().is_some_and(|value| value != "origin")
    {
        found.push(Found::new("session_replication_role switches triggers and foreign keys off"));
    }
    found
}
