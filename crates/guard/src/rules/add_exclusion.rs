//! ADD EXCLUDE.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::ConstrType;

pub(super) const RULE: Rule = Rule {
    id: "add-exclusion",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an exclusion constraint is added",
    lock: "ACCESS EXCLUSIVE while the index is built and every row is checked",
    why: "There is no way around the lock: a new table with the constraint, filled by a backfill, is the alternative.",
    rewrite: "-- a new table with the constraint, then a backfill, then a swap of names",
    bad: &["alter table rooms add constraint x exclude using gist (during with &&)"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, _) in look.added_constraints(ConstrType::ConstrExclusion) {
        let message = format!("ADD EXCLUDE builds an index over all of {table} under the lock");
        found.push(Found::new(message).on(&table));
    }
    found
}
