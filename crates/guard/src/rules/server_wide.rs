//! ALTER SYSTEM, DROP DATABASE and the like.

use crate::rule::{Found, Kind, Look, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "server-wide",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a statement reaches beyond the database's schema",
    lock: "depends",
    why: "It changes the server or a whole database, which no release of a schema should.",
    rewrite: "-- by hand, outside of a release",
    bad: &["alter system set work_mem = '1GB'", "drop database crm", "drop tablespace fast"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let what = match look.node() {
        Some(NodeEnum::AlterSystemStmt(_)) => "ALTER SYSTEM changes the whole server",
        Some(NodeEnum::DropdbStmt(_)) => "DROP DATABASE loses everything in it",
        Some(NodeEnum::DropTableSpaceStmt(_)) => "DROP TABLESPACE reaches beyond this database",
        _ => return Vec::new(),
    };
    vec![Found::new(what)]
}
