//! A new enum value used in the transaction that adds it.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "enum-value-used",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a new enum value is used in the same file",
    lock: "none",
    why: "PostgreSQL refuses it (55P04) unless the same transaction created the type.",
    rewrite: "-- use the value in a later file",
    bad: &["alter type status add value 'won'; alter table leads alter column s set default 'won'"],
    good: &[
        "alter type status add value 'won'",
        "create type s as enum ('a'); alter type s add value 'b'; create table t (x s default 'b')",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    if !look.transaction
        || matches!(
            look.node(),
            Some(NodeEnum::AlterEnumStmt(_) | NodeEnum::CommentStmt(_) | NodeEnum::CreateFunctionStmt(_))
        )
    {
        return Vec::new();
    }
    let used = look
        .world
        .enum_values_here
        .iter()
        .find(|value| look.act.tree.any(|part| part.kind() == "AConst" && part.string() == Some(value)));
    used.map(|value| {
        Found::new(format!("'{value}' was added in this transaction and cannot be used in it yet"))
    })
    .into_iter()
    .collect()
}
