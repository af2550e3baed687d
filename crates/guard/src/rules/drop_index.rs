//! DROP INDEX of an index in use.

use sql::NodeEnum;
use sql::ast::ObjectType;

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "drop-index",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an index is dropped in a migration",
    lock: "ACCESS EXCLUSIVE on its table",
    why: "It waits for every query on the table and holds up all that come after. In indexes/ it is dropped concurrently.",
    rewrite: "-- indexes/leads.sql
DROP INDEX leads_email_idx;",
    bad: &["drop index leads_email_idx"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::DropStmt(drop)) = look.node() else { return Vec::new() };
    if drop.remove_type() != ObjectType::ObjectIndex || drop.concurrent {
        return Vec::new();
    }
    let names: Vec<String> =
        drop.objects.iter().map(|object| Tree::of(object).qualified().quoted()).collect();
    let here = |name: &str| {
        look.acts[..look.at]
            .iter()
            .any(|act| matches!(&act.node, Some(NodeEnum::IndexStmt(index)) if index.idxname == name))
    };
    if names.iter().all(|name| here(name)) {
        return Vec::new();
    }
    let found = Found::new(format!("DROP INDEX {} locks its table against all use", names.join(", ")));
    vec![found.rewrite(format!("-- indexes/\nDROP INDEX {};", names.join(", ")))]
}
