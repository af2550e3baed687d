//! ADD COLUMN of a domain that has a constraint.

use crate::look::Look;
use crate::look::type_text;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "constrained-domain-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column has a domain with a constraint",
    lock: "ACCESS EXCLUSIVE while the whole table is rewritten",
    why: "The domain's constraint is checked for every row, even where all are NULL.",
    rewrite: "ALTER TABLE leads ADD COLUMN email2 text;
ALTER TABLE leads ADD CONSTRAINT email2_check CHECK (email2 LIKE '%@%') NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT email2_check;",
    bad: &["create domain email as text check (value like '%@%'); alter table leads add column e email"],
    good: &["create domain label as text; alter table leads add column l label"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let domain = type_text(column);
        if look.world.domains.get(&domain) != Some(&true) {
            continue;
        }
        let name = &column.colname;
        let each = Found::new(format!(
            "column {name} is of the domain {domain}, whose constraint rewrites all of {table}"
        ));
        found.push(each.on(&table));
    }
    found
}
