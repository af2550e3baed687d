//! LOCK TABLE.

use sql::NodeEnum;

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "lock-table",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a table is locked by hand",
    lock: "the one it names",
    why: "It is held to COMMIT.",
    rewrite: "-- leave the locking to the statements themselves",
    bad: &["lock table leads", "lock table leads in exclusive mode"],
    good: &["lock table leads in row exclusive mode"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::LockStmt(lock)) = look.node() else { return Vec::new() };
    // 5 is SHARE: the weakest that stops writers.
    let new =
        lock.relations.iter().all(|node| Tree::of(node).relation().is_some_and(|name| look.is_new(&name)));
    if lock.mode < 5 || new { Vec::new() } else { vec![Found::new("LOCK TABLE stops writers until COMMIT")] }
}
