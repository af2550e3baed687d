//! ADD COLUMN UNIQUE or PRIMARY KEY.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "column-unique",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column is UNIQUE or the primary key",
    lock: "ACCESS EXCLUSIVE while an index over the whole table is built",
    why: "The index is built under the lock.",
    rewrite: "ALTER TABLE leads ADD COLUMN ref text;
-- indexes/leads.sql
CREATE UNIQUE INDEX leads_ref_key ON leads (ref);",
    bad: &[
        "alter table leads add column ref text unique",
        "alter table leads add column id2 uuid primary key",
    ],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        if [ConstrType::ConstrUnique, ConstrType::ConstrPrimary]
            .iter()
            .all(|kind| constraint_of(column, *kind).is_none())
        {
            continue;
        }
        let name = &column.colname;
        let each = Found::new(format!("column {name} builds an index over all of {table} under the lock"))
            .on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!("ALTER TABLE {table} ADD COLUMN {name} {};\n-- indexes/\nCREATE UNIQUE INDEX {name}_key ON {table} ({name});", type_text(column))));
    }
    found
}
