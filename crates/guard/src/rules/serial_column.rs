//! ADD COLUMN as serial or identity.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "serial-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column numbers its rows",
    lock: "ACCESS EXCLUSIVE while the whole table and all its indexes are rewritten",
    why: "Every row gets its number at once.",
    rewrite: "ALTER TABLE leads ADD COLUMN number bigint;
CREATE SEQUENCE leads_number_seq OWNED BY leads.number;
ALTER TABLE leads ALTER COLUMN number SET DEFAULT nextval('leads_number_seq');
-- then a backfill of the rows that have none",
    bad: &[
        "alter table leads add column number bigserial",
        "alter table leads add column n serial primary key",
        "alter table leads add column n bigint generated always as identity",
    ],
    good: &["create table t (id bigserial)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let kind = type_text(column);
        let serial =
            ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"].contains(&kind.as_str());
        if !serial && constraint_of(column, ConstrType::ConstrIdentity).is_none() {
            continue;
        }
        let name = &column.colname;
        let each =
            Found::new(format!("column {name} numbers every row of {table}, which rewrites it")).on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD COLUMN {name} bigint;\nCREATE SEQUENCE {name}_seq OWNED BY {table}.{name};\nALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT nextval('{name}_seq');\n-- then a backfill of the rows that have none"
        )));
    }
    found
}
