//! ADD UNIQUE or PRIMARY KEY that builds its index.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::ConstrType;

pub(super) const RULE: Rule = Rule {
    id: "add-unique",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a unique or primary key constraint builds its index",
    lock: "ACCESS EXCLUSIVE while the index is built",
    why: "With USING INDEX the constraint takes over an index that was built concurrently: brief.",
    rewrite: "-- indexes/leads.sql
CREATE UNIQUE INDEX leads_email_key ON leads (email);
-- in a later migration
ALTER TABLE leads ADD CONSTRAINT leads_email_key UNIQUE USING INDEX leads_email_key;",
    bad: &["alter table leads add constraint u unique (email)", "alter table leads add primary key (id)"],
    good: &["alter table leads add constraint u unique using index leads_email_key"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for kind in [ConstrType::ConstrUnique, ConstrType::ConstrPrimary] {
        for (table, key) in look.added_constraints(kind) {
            if !key.indexname.is_empty() {
                continue;
            }
            let columns: Vec<_> = key.keys.iter().filter_map(crate::name::word).collect();
            let word = if kind == ConstrType::ConstrUnique { "UNIQUE" } else { "PRIMARY KEY" };
            let name = if key.conname.is_empty() {
                format!("{}_{}_key", table.name, columns.join("_"))
            } else {
                key.conname.clone()
            };
            let message = format!("ADD {word} builds an index over all of {table} under the lock");
            let each = Found::new(message).on(&table);
            let table = table.quoted();
            found.push(each.rewrite(format!(
                "-- indexes/\nCREATE UNIQUE INDEX {name} ON {table} ({});\n-- in a later migration\nALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {name};",
                columns.join(", ")
            )));
        }
    }
    found
}
