//! ADD COLUMN REFERENCES.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "column-references",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column has a foreign key",
    lock: "ACCESS EXCLUSIVE on the table and SHARE ROW EXCLUSIVE on the referenced one, until COMMIT",
    why: "New columns are NULL, so nothing is scanned, but nobody reads the one table and nobody writes the other until both locks are had and the file is done. In two files each is locked for itself; with a default the rows are checked under the lock as well.",
    rewrite: "ALTER TABLE leads ADD COLUMN owner_id bigint;
ALTER TABLE leads ADD CONSTRAINT leads_owner_fkey FOREIGN KEY (owner_id) REFERENCES users NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT leads_owner_fkey;",
    bad: &["alter table leads add column owner_id bigint references users"],
    good: &["create table t (owner_id bigint references users)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let Some(key) = constraint_of(column, ConstrType::ConstrForeign) else { continue };
        let parent = key.pktable.as_ref().map(Name::of).unwrap_or_else(|| Name::plain(""));
        if look.is_new(&parent) && constraint_of(column, ConstrType::ConstrDefault).is_none() {
            continue;
        }
        let name = &column.colname;
        let each = Found::new(format!("the foreign key of column {name} locks {table} and {parent} at once"));
        let each = each.on(&table).on(&parent);
        let table = table.quoted();
        found.push(each.rewrite(format!("ALTER TABLE {table} ADD COLUMN {name} {};\nALTER TABLE {table} ADD CONSTRAINT {name}_fkey FOREIGN KEY ({name}) REFERENCES {} NOT VALID;\n-- in a later file\nALTER TABLE {table} VALIDATE CONSTRAINT {name}_fkey;", type_text(column), parent.quoted())));
    }
    found
}
