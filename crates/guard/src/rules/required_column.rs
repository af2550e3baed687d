//! ADD COLUMN NOT NULL without a default.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "required-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column is NOT NULL and has no default",
    lock: "ACCESS EXCLUSIVE: nobody reads or writes the table meanwhile",
    why: "It fails as soon as the table has a row.",
    rewrite: "ALTER TABLE leads ADD COLUMN region text NOT NULL DEFAULT 'eu';",
    bad: &[
        "alter table leads add column region text not null",
        "alter table leads add column region text not null default null",
    ],
    good: &[
        "alter table leads add column region text not null default 'eu'",
        "create table t (a int); alter table t add column b int not null",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let has = |kind| constraint_of(column, kind).is_some();
        let default = constraint_of(column, ConstrType::ConstrDefault);
        let filled = default.is_some_and(|default| !is_null(default))
            || has(ConstrType::ConstrIdentity)
            || has(ConstrType::ConstrGenerated);
        let required = column.is_not_null || has(ConstrType::ConstrNotnull);
        if !required || filled || type_text(column).contains("serial") {
            continue;
        }
        let name = &column.colname;
        let each = Found::new(format!(
            "column {name} is NOT NULL without a default: this fails if {table} has a row"
        ));
        let each = each.on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!("ALTER TABLE {table} ADD COLUMN {name} {};\n-- then a backfill, CHECK ({name} IS NOT NULL) NOT VALID, VALIDATE, SET NOT NULL", type_text(column))));
    }
    found
}

/// `DEFAULT NULL` fills nothing.
fn is_null(default: &sql::ast::Constraint) -> bool {
    let mut tree = &default.raw_expr.as_ref().map_or(Tree::Nothing, Tree::of);
    while tree.kind() == "TypeCast" {
        tree = tree.get("arg");
    }
    !tree.get("isnull").is_nothing()
}
