//! A foreign key whose column has no index that the files know.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::ast::ConstrType;

pub(super) const RULE: Rule = Rule {
    id: "foreign-key-without-index",
    severity: Severity::Hint,
    kind: Kind::Hazard,
    summary: "a foreign key's column has no index in the files",
    lock: "none",
    why: "Every DELETE or key UPDATE of the referenced table scans the referencing one.",
    rewrite: "-- indexes/calls.sql
CREATE INDEX calls_lead_id_idx ON calls (lead_id);",
    bad: &["alter table calls add constraint f foreign key (lead_id) references leads not valid"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, key) in look.added_constraints(ConstrType::ConstrForeign) {
        let Some(column) = key.fk_attrs.first().and_then(crate::name::word) else { continue };
        if !look.world.indexed.contains(&(table.name.clone(), column.to_owned())) {
            let rewrite = format!(
                "-- indexes/\nCREATE INDEX {}_{column}_idx ON {} ({column});",
                table.name,
                table.quoted()
            );
            found.push(
                Found::new(format!("no file declares an index on {table} ({column})")).rewrite(rewrite),
            );
        }
    }
    found
}
