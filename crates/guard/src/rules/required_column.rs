//! ADD COLUMN NOT NULL without a default.

use sql::ast::ConstrType;

use crate::rule::{Found, Kind, Look, Rule};
use crate::rule::{constraint_of, type_text};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "required-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column is NOT NULL and has no default",
    lock: "ACCESS EXCLUSIVE: nobody reads or writes the table meanwhile",
    why: "It fails as soon as the table has a row.",
    rewrite: "ALTER TABLE leads ADD COLUMN region text NOT NULL DEFAULT 'eu';",
    bad: &["alter table leads add column region text not null"],
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
        let filled = has(ConstrType::ConstrDefault)
            || has(ConstrType::ConstrIdentity)
            || has(ConstrType::ConstrGenerated);
        let required = column.is_not_null || has(ConstrType::ConstrNotnull);
        if !required || filled || type_text(column).contains("serial") {
            continue;
        }
        let (table, name) = (table.quoted(), &column.colname);
        let each = Found::new(format!(
            "column {name} is NOT NULL without a default: this fails if {table} has a row"
        ));
        found.push(each.rewrite(format!("ALTER TABLE {table} ADD COLUMN {name} {};\n-- then a backfill, CHECK ({name} IS NOT NULL) NOT VALID, VALIDATE, SET NOT NULL", type_text(column))));
    }
    found
}
