//! DISABLE TRIGGER and session_replication_role.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::AlterTableType;

pub(super) const RULE: Rule = Rule {
    id: "disable-trigger",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "triggers, rules or foreign keys are switched off",
    lock: "SHARE ROW EXCLUSIVE on the table",
    why: "What the application writes meanwhile goes unchecked, and ALL switches foreign keys off as well.",
    rewrite: "-- write the change so that the triggers may fire",
    bad: &[
        "alter table leads disable trigger all",
        "alter table leads disable trigger t",
        "alter table leads disable rule r",
        "set session_replication_role = replica",
    ],
    good: &["alter table leads enable trigger t", "set session_replication_role = default"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    use AlterTableType::{AtDisableRule, AtDisableTrig, AtDisableTrigAll, AtDisableTrigUser};
    let mut found: Vec<Found> = look
        .altering(&[AtDisableTrig, AtDisableTrigAll, AtDisableTrigUser, AtDisableRule])
        .iter()
        .map(|(table, _)| Found::new(format!("triggers or rules of {table} are switched off for everybody")))
        .collect();
    if let Some((name, value)) = super::setting(look)
        && name == "session_replication_role"
        && value.as_deref().is_some_and(|value| value != "origin")
    {
        found.push(Found::new("session_replication_role switches triggers and foreign keys off"));
    }
    found
}
