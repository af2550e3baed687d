//! DETACH PARTITION without CONCURRENTLY.

use sql::ast::AlterTableType;

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "detach-partition",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a partition is detached",
    lock: "ACCESS EXCLUSIVE on the parent and (14 and later) on the partition",
    why: "DETACH .. CONCURRENTLY (14 and later) takes SHARE UPDATE EXCLUSIVE, outside of a transaction.",
    rewrite: "ALTER TABLE calls DETACH PARTITION calls_2020 CONCURRENTLY; -- by hand",
    bad: &["alter table calls detach partition calls_2020"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, command) in look.altering(&[AlterTableType::AtDetachPartition]) {
        let tree = command.def.as_ref().map_or(Tree::Nothing, Tree::of);
        if tree.get("concurrent").is_nothing() {
            found.push(Found::new(format!("DETACH PARTITION locks {table} against all use")).on(&table));
        }
    }
    found
}
