//! ADD CHECK without NOT VALID.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::ConstrType;

pub(super) const RULE: Rule = Rule {
    id: "add-check",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a CHECK is added and checked at once",
    lock: "ACCESS EXCLUSIVE while the whole table is scanned",
    why: "Every row is read under the lock. Added NOT VALID it is brief; VALIDATE in a later file scans while the table is read and written.",
    rewrite: "ALTER TABLE leads ADD CONSTRAINT age_check CHECK (age > 0) NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT age_check;",
    bad: &["alter table leads add constraint c check (age > 0)", "alter table leads add check (age > 0)"],
    good: &[
        "alter table leads add constraint c check (age > 0) not valid",
        "alter table leads validate constraint c",
        "alter table leads add constraint c check (age > 0) not enforced",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, check) in look.added_constraints(ConstrType::ConstrCheck) {
        if check.skip_validation || !check.is_enforced {
            continue;
        }
        let text =
            check.raw_expr.as_ref().and_then(|expression| sql::expression(expression)).unwrap_or_default();
        let name =
            if check.conname.is_empty() { format!("{}_check", table.name) } else { check.conname.clone() };
        let each = Found::new(format!("ADD CHECK scans all of {table} under the lock")).on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({text}) NOT VALID;\n-- in a later file\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        )));
    }
    found
}
