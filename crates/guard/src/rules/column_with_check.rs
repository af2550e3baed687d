//! ADD COLUMN with a CHECK.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "column-with-check",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column has a CHECK",
    lock: "ACCESS EXCLUSIVE while the whole table is scanned",
    why: "Every row is checked, even with a constant default.",
    rewrite: "ALTER TABLE leads ADD COLUMN age integer;
ALTER TABLE leads ADD CONSTRAINT leads_age_check CHECK (age > 0) NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT leads_age_check;",
    bad: &["alter table leads add column age int check (age > 0)"],
    good: &[
        "alter table leads add column age int; alter table leads add constraint c check (age > 0) not valid",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let Some(check) = constraint_of(column, ConstrType::ConstrCheck) else { continue };
        if constraint_of(column, ConstrType::ConstrAttrNotEnforced).is_some() {
            continue;
        }
        let check =
            check.raw_expr.as_ref().and_then(|expression| sql::expression(expression)).unwrap_or_default();
        let name = &column.colname;
        let each = Found::new(format!("the CHECK on column {name} scans all of {table}")).on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!("ALTER TABLE {table} ADD COLUMN {name} {};\nALTER TABLE {table} ADD CONSTRAINT {name}_check CHECK ({check}) NOT VALID;\n-- in a later file\nALTER TABLE {table} VALIDATE CONSTRAINT {name}_check;", type_text(column))));
    }
    found
}
