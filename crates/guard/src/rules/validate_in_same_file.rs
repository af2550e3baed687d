//! NOT VALID and VALIDATE in one file.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::AlterTableType;

pub(super) const RULE: Rule = Rule {
    id: "validate-in-same-file",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a constraint is added NOT VALID and validated in one transaction",
    lock: "that of the ADD (ACCESS EXCLUSIVE, or SHARE ROW EXCLUSIVE on both tables) during the scan",
    why: "The lock of the ADD is kept to COMMIT, so the scan runs under it, as without NOT VALID.",
    rewrite: "-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT age_check;",
    bad: &[
        "alter table leads add constraint c check (age > 0) not valid; alter table leads validate constraint c",
    ],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if !look.transaction {
        return found;
    }
    for (table, command) in look.altering(&[AlterTableType::AtValidateConstraint]) {
        if look.world.not_valid_here.contains(&(table.name.clone(), command.name.clone())) {
            let rewrite = format!(
                "-- in a later file\nALTER TABLE {} VALIDATE CONSTRAINT {};",
                table.quoted(),
                command.name
            );
            let message = format!(
                "{} is validated in the transaction that adds it: the lock is kept during the scan",
                command.name
            );
            found.push(Found::new(message).rewrite(rewrite));
        }
    }
    found
}
