//! ADD COLUMN GENERATED .. STORED, and SET EXPRESSION.

use sql::ast::{AlterTableType, ConstrType};

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "stored-generated-column",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a stored generated column is added or redefined",
    lock: "ACCESS EXCLUSIVE while the whole table and all its indexes are rewritten",
    why: "VIRTUAL (18) is computed when it is read: no scan, no rewrite.",
    rewrite: "ALTER TABLE leads ADD COLUMN domain text;
-- a trigger for new rows, a backfill for the old ones; or GENERATED ALWAYS AS (..) VIRTUAL on 18",
    bad: &[
        "alter table leads add column d text generated always as (lower(email)) stored",
        "alter table leads alter column d set expression as (upper(email))",
    ],
    good: &["alter table leads add column d text generated always as (lower(email)) virtual"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let generated = constraint_of(column, ConstrType::ConstrGenerated);
        if generated.is_some_and(|generated| generated.generated_kind != "v") {
            let name = &column.colname;
            let rewrite = format!(
                "ALTER TABLE {} ADD COLUMN {name} {};\n-- a trigger for new rows, a backfill for the old ones",
                table.quoted(),
                type_text(column)
            );
            found.push(
                Found::new(format!("stored column {name} rewrites all of {table}"))
                    .on(&table)
                    .rewrite(rewrite),
            );
        }
    }
    for (table, command) in look.altering(&[AlterTableType::AtSetExpression]) {
        let message = format!("a new expression for {} rewrites all of {table}", command.name);
        found.push(Found::new(message).on(&table));
    }
    found
}
