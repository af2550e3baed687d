//! CONCURRENTLY in a migration.

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "concurrently-in-transaction",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a statement that cannot run in a transaction",
    lock: "none: PostgreSQL refuses it (25001)",
    why: "A migration is one transaction. An index belongs in indexes/, where it is built concurrently.",
    rewrite: "-- indexes/leads.sql
CREATE INDEX leads_email_idx ON leads (email);",
    bad: &[
        "alter table leads add column a int; create index concurrently i on leads (a)",
        "drop index concurrently i; select 1",
        "reindex table concurrently leads; select 1",
    ],
    good: &[
        "-- pgdeploy:\n--   transaction: false\ndrop index concurrently i; reindex table concurrently leads",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let concurrently = match look.node() {
        Some(NodeEnum::IndexStmt(index)) => index.concurrent,
        Some(NodeEnum::DropStmt(drop)) => drop.concurrent,
        Some(NodeEnum::ReindexStmt(_)) => super::has_option(look.act.tree.get("params"), "concurrently"),
        Some(NodeEnum::AlterTableStmt(_)) => {
            look.act.tree.any(|part| part.kind() == "PartitionCmd" && !part.get("concurrent").is_nothing())
        }
        _ => false,
    };
    if !concurrently {
        return Vec::new();
    }
    if !look.transaction {
        return Vec::new();
    }
    let found = Found::new("CONCURRENTLY cannot run inside a migration's transaction");
    // Alone in its file it harms nothing; the stage itself refuses it with its own message.
    let partitioned = matches!(look.node(), Some(NodeEnum::IndexStmt(index))
        if index.relation.as_ref().is_some_and(|relation| look.is_partitioned(&Name::of(relation))));
    if partitioned {
        return vec![Found::new("an index of a partitioned table cannot be built CONCURRENTLY at once")];
    }
    let alone = look.statements == 1 && look.act.via.is_empty();
    vec![if alone { found.weighing(Severity::Hint) } else { found }]
}
