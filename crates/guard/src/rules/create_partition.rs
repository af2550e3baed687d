//! CREATE TABLE .. PARTITION OF a table in use.

use sql::NodeEnum;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "create-partition",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a partition is created in place",
    lock: "ACCESS EXCLUSIVE on the parent; a default partition is scanned meanwhile",
    why: "It waits for every query on any partition, and holds up all that come after. Created by itself and attached, the parent is only locked SHARE UPDATE EXCLUSIVE.",
    rewrite: "CREATE TABLE calls_2027 (LIKE calls INCLUDING ALL);
ALTER TABLE calls ATTACH PARTITION calls_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');",
    bad: &["create table calls_2027 partition of calls for values from ('2027-01-01') to ('2028-01-01')"],
    good: &["create table c (a int) partition by list (a); create table c1 partition of c for values in (1)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::CreateStmt(create)) = look.node() else { return Vec::new() };
    let parent = look.act.tree.get("inh_relations").list().first().and_then(|parent| parent.relation());
    let Some(parent) = parent.filter(|parent| create.partbound.is_some() && !look.is_new(parent)) else {
        return Vec::new();
    };
    let child = create.relation.as_ref().map(|relation| Name::of(relation).quoted()).unwrap_or_default();
    let found = Found::new(format!("CREATE TABLE .. PARTITION OF locks {parent} against all use"));
    vec![found.on(&parent).rewrite(format!(
        "CREATE TABLE {child} (LIKE {0} INCLUDING ALL);\nALTER TABLE {0} ATTACH PARTITION {child} FOR VALUES ..;",
        parent.quoted()
    ))]
}
