//! Several tables locked in one transaction.

use sql::NodeEnum;
use sql::ast::ObjectType;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "several-tables",
    severity: Severity::Hint,
    kind: Kind::Hazard,
    summary: "one file locks several tables in use",
    lock: "ACCESS EXCLUSIVE on each, all until COMMIT",
    why: "The times add up, and two files that lock in different orders deadlock. From three tables on it is a warning.",
    rewrite: "-- one file per table",
    bad: &["alter table a add column x int; alter table b add column x int"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    if !look.transaction {
        return Vec::new();
    }
    let mut tables: Vec<Name> = Vec::new();
    for act in look.acts.get(..=look.at).unwrap_or(&[]) {
        let Some(NodeEnum::AlterTableStmt(alter)) = &act.node else { continue };
        let Some(table) = alter.relation.as_ref().map(Name::of) else { continue };
        let table_kind = alter.objtype() == ObjectType::ObjectTable;
        if table_kind && !look.is_new(&table) && !tables.iter().any(|known| known.same(&table)) {
            tables.push(table);
        }
    }
    let (Some(last), Some(NodeEnum::AlterTableStmt(alter))) = (tables.last(), look.node()) else {
        return Vec::new();
    };
    let here = alter.relation.as_ref().map(Name::of);
    let first_here = here.as_ref() == Some(last)
        && !look.acts[..look.at].iter().any(|act| matches!(&act.node, Some(NodeEnum::AlterTableStmt(alter)) if alter.relation.as_ref().map(Name::of) == here));
    if tables.len() < 2 || !first_here {
        return Vec::new();
    }
    let weight = if tables.len() > 2 { Severity::Warning } else { Severity::Hint };
    vec![
        Found::new(format!("this is the file's table number {} that is locked until COMMIT", tables.len()))
            .weighing(weight),
    ]
}
