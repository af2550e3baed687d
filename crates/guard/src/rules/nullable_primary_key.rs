//! PRIMARY KEY USING INDEX over a column that may be NULL.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "nullable-primary-key",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a primary key takes over an index whose columns may be NULL",
    lock: "ACCESS EXCLUSIVE while the whole table is scanned for NULLs",
    why: "The index is there already, but the columns become NOT NULL with the key, and that is checked row by row unless it is proven. It is told where the files or the catalog show the index's columns.",
    rewrite: "ALTER TABLE leads ADD CONSTRAINT leads_id_not_null CHECK (id IS NOT NULL) NOT VALID;
-- in a later file
ALTER TABLE leads VALIDATE CONSTRAINT leads_id_not_null;
ALTER TABLE leads ALTER COLUMN id SET NOT NULL;
ALTER TABLE leads ADD PRIMARY KEY USING INDEX leads_id_key;",
    bad: &[
        "create unique index leads_id_key on leads (id); alter table leads add primary key using index leads_id_key",
    ],
    good: &["alter table leads add constraint leads_pkey primary key using index leads_id_key"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, key) in look.added_constraints(ConstrType::ConstrPrimary) {
        if key.indexname.is_empty() {
            continue;
        }
        let cataloged = look.knowledge.table(&table).and_then(|facts| facts.indexes.get(&key.indexname));
        let Some(columns) = cataloged.or_else(|| look.world.index_columns.get(&key.indexname)) else {
            continue;
        };
        let unproven = |column: &&String| {
            !look.is_not_null(&table, column)
                && !look
                    .checks(&table)
                    .iter()
                    .any(|check| check.valid && check.not_null.as_ref() == Some(column))
        };
        let nullable: Vec<&str> = columns.iter().filter(unproven).map(String::as_str).collect();
        if !nullable.is_empty() {
            let message = format!(
                "{} of {table} may be NULL: the primary key scans the whole table under the lock",
                nullable.join(", ")
            );
            found.push(Found::new(message).on(&table));
        }
    }
    found
}
