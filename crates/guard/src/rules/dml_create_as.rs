//! CREATE TABLE AS, SELECT INTO and CREATE MATERIALIZED VIEW with rows of tables in use.

use sql::NodeEnum;
use sql::ast::ObjectType;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "dml-create-as",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration copies a table's rows into a new relation",
    lock: "ACCESS SHARE on what is read; its snapshot is held to COMMIT, so VACUUM stands still",
    why: "It reads whole tables in the migration's transaction. WITH NO DATA copies the shape only.",
    rewrite: "CREATE TABLE new_leads AS SELECT * FROM leads WITH NO DATA;
-- backfills/0001_fill.sql
INSERT INTO new_leads SELECT * FROM leads ON CONFLICT DO NOTHING;",
    bad: &[
        "create table a as select * from b",
        "select * into a from b",
        "create materialized view m as select * from leads",
        "create table a as table b",
    ],
    good: &[
        "create table a as select * from b with no data",
        "create table a as select 1 as x",
        "create materialized view m as select * from leads with no data",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let (what, into, query) = match look.node() {
        Some(NodeEnum::CreateTableAsStmt(create)) => {
            let Some(into) = create.into.as_ref().filter(|into| !into.skip_data) else { return Vec::new() };
            let view = create.objtype() == ObjectType::ObjectMatview;
            (
                if view { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" },
                into,
                look.act.tree.get("query"),
            )
        }
        Some(NodeEnum::SelectStmt(select)) => {
            let Some(into) = &select.into_clause else { return Vec::new() };
            ("SELECT INTO", into, &look.act.tree)
        }
        _ => return Vec::new(),
    };
    let target = into.rel.as_ref().map(Name::of);
    let reads = query.relations();
    let Some(source) = reads.iter().find(|name| Some(*name) != target.as_ref() && !look.is_new(name)) else {
        return Vec::new();
    };
    vec![Found::new(format!("{what} reads the rows of {source}{}", look.act.hidden()))]
}
