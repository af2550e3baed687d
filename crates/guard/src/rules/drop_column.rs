//! DROP COLUMN.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::AlterTableType;

pub(super) const RULE: Rule = Rule {
    id: "drop-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a column is dropped",
    lock: "ACCESS EXCLUSIVE, briefly",
    why: "Its data are lost, and the running application still reads it. Release the code that no longer uses it first.",
    rewrite: "-- once no running version reads it
-- pgdeploy:allow drop-column: unused since release 41
ALTER TABLE leads DROP COLUMN age;",
    bad: &["alter table leads drop column age"],
    good: &["alter table leads alter column age drop not null", "alter table leads drop constraint c"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, command) in look.altering(&[AlterTableType::AtDropColumn]) {
        let message =
            format!("the data of {table}.{} are lost, and the running release may read it", command.name);
        found.push(Found::new(message).on(&table));
    }
    found
}
