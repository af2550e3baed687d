//! CREATE INDEX on a table in use.

use sql::NodeEnum;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "create-index",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an index is built in a migration",
    lock: "SHARE: no writes to the table while the index is built",
    why: "An index belongs in indexes/, where it is built concurrently in the stage after this one. ON ONLY a partitioned table builds nothing and passes.",
    rewrite: "-- indexes/leads.sql
CREATE INDEX leads_email_idx ON leads (email);",
    bad: &[
        "create index on leads (email)",
        "create unique index if not exists i on leads (email)",
        "do $$ begin execute 'create index i on leads (email)'; end $$",
    ],
    good: &["create table t (a int); create index on t (a)", "create index i on only leads (email)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::IndexStmt(index)) = look.node() else { return Vec::new() };
    let Some(table) = index.relation.as_ref().map(Name::of) else { return Vec::new() };
    let only = index.relation.as_ref().is_some_and(|relation| !relation.inh);
    if index.concurrent || only || look.is_new(&table) {
        return Vec::new();
    }
    let partitioned = if look.is_partitioned(&table) { " and all its partitions" } else { "" };
    let text = sql::statement_text(NodeEnum::IndexStmt(index.clone())).unwrap_or_default();
    let found = Found::new(format!("CREATE INDEX stops writes to {table}{partitioned} while it is built"));
    vec![found.on(&table).rewrite(format!("-- indexes/{}.sql\n{text};", table.name))]
}
