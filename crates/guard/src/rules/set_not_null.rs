//! SET NOT NULL on a column that is not proven.

use sql::NodeEnum;
use sql::ast::{AlterTableType, ConstrType};

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "set-not-null",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a column is made NOT NULL",
    lock: "ACCESS EXCLUSIVE while the whole table is scanned",
    why: "A valid CHECK (c IS NOT NULL) is taken as the proof (12 and later): no scan. On 18, ADD CONSTRAINT .. NOT NULL c NOT VALID and VALIDATE do the same.",
    rewrite: "ALTER TABLE leads ADD CONSTRAINT leads_email_not_null CHECK (email IS NOT NULL) NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT leads_email_not_null;
ALTER TABLE leads ALTER COLUMN email SET NOT NULL;
ALTER TABLE leads DROP CONSTRAINT leads_email_not_null;",
    bad: &[
        "alter table leads alter column email set not null",
        "alter table leads add constraint c check (email is not null) not valid; alter table leads alter column email set not null",
        "alter table leads add constraint n not null email",
    ],
    good: &[
        "alter table leads validate constraint leads_email_not_null; alter table leads alter column email set not null; alter table leads drop constraint leads_email_not_null",
        "alter table leads add constraint n not null email not valid",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut columns = Vec::new();
    for (table, command) in look.altering(&[AlterTableType::AtSetNotNull]) {
        columns.push((table, command.name.clone()));
    }
    for (table, constraint) in look.added_constraints(ConstrType::ConstrNotnull) {
        if !constraint.skip_validation {
            columns.extend(
                constraint.keys.first().and_then(crate::name::word).map(|column| (table, column.to_owned())),
            );
        }
    }
    for (table, column) in columns {
        if proven(look, &table, &column) {
            continue;
        }
        let message = format!("SET NOT NULL on {column} scans all of {table} under the lock");
        let each = Found::new(message).on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID;\n-- in a later file\nALTER TABLE {table} VALIDATE CONSTRAINT {column}_not_null;\nALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\nALTER TABLE {table} DROP CONSTRAINT {column}_not_null;"
        )));
    }
    found
}

/// By a valid check of the files, by the catalog, or by the usual steps around it: a constraint that we have not seen
/// is validated before, or one that is named after the column is dropped behind it.
fn proven(look: &Look<'_>, table: &Name, column: &str) -> bool {
    let world = look.world;
    let checked =
        look.checks(table).iter().any(|check| check.valid && check.not_null.as_deref() == Some(column));
    let validated = world.validated.iter().any(|key| key.0 == table.name && !world.checks.contains_key(key));
    if look.is_not_null(table, column) || checked {
        return true;
    }
    // With the catalog at hand nothing has to be taken for granted.
    look.knowledge.table(table).is_none() && (validated || drops_its_proof(look, table, column))
}

fn drops_its_proof(look: &Look<'_>, table: &Name, column: &str) -> bool {
    look.acts[look.at..].iter().any(|act| {
        let Some(NodeEnum::AlterTableStmt(alter)) = &act.node else { return false };
        let same = alter.relation.as_ref().is_some_and(|relation| Name::of(relation).same(table));
        same && alter.cmds.iter().any(|node| match &node.node {
            Some(NodeEnum::AlterTableCmd(command)) => {
                let known = look.world.checks.contains_key(&(table.name.clone(), command.name.clone()));
                command.subtype() == AlterTableType::AtDropConstraint
                    && !known
                    && command.name.contains(column)
                    && (command.name.contains("null") || command.name.ends_with("_nn"))
            }
            _ => false,
        })
    })
}
