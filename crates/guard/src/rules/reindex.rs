//! REINDEX without CONCURRENTLY.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "reindex",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "indexes are rebuilt in a migration",
    lock: "SHARE on the table, ACCESS EXCLUSIVE on the index: no writes, and no query that would use it",
    why: "REINDEX .. CONCURRENTLY (12 and later) runs outside of a transaction.",
    rewrite: "REINDEX TABLE CONCURRENTLY leads; -- by hand",
    bad: &["reindex table leads", "reindex index leads_email_idx", "reindex schema public"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::ReindexStmt(_)) = look.node() else { return Vec::new() };
    if super::has_option(look.act.tree.get("params"), "concurrently") {
        return Vec::new();
    }
    vec![Found::new("REINDEX stops writes to the table while its indexes are rebuilt")]
}
