//! ALTER COLUMN TYPE.

use sql::ast::AlterTableType;

use crate::column_type::{ColumnType, Conversion};
use crate::look::Look;
use crate::look::column;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "change-type",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a column's type is changed",
    lock: "ACCESS EXCLUSIVE while the table and its indexes are rewritten, or at least scanned",
    why: "Free are: varchar to a longer one, varchar to text, text to varchar, numeric to more digits of the same scale. A CHECK on the column makes even these a scan; another collation rebuilds indexes; USING rewrites. Without the column's present type from the files or the catalog, what may be free is a warning or a hint.",
    rewrite: "ALTER TABLE leads ADD COLUMN id_new bigint;
-- a trigger for new rows, a backfill for the old ones, then a swap of names",
    bad: &[
        "alter table leads alter column id type bigint",
        "alter table leads alter column j type jsonb using j::jsonb",
        "alter table leads alter column name type varchar(20)",
    ],
    good: &["alter table leads alter column name type text"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, command) in look.altering(&[AlterTableType::AtAlterColumnType]) {
        let Some(column) = column(command) else { continue };
        let Some(to) = column.type_name.as_ref().map(ColumnType::of) else { continue };
        let name = &command.name;
        let from = look.type_of(&table, name);
        let checked = look.checks(&table).iter().any(|check| check.columns.contains(name));
        let using = column.raw_default.as_ref().is_some_and(|using| !is_plain_cast(&Tree::of(using), &to));
        let utc = look.knowledge.catalog.as_ref().is_some_and(|catalog| catalog.utc);
        let zoned = utc && from.as_ref().is_some_and(|from| to.only_gains_a_zone(from));
        let each = if using {
            Found::new(format!("changing {table}.{name} to {to} with USING rewrites the table"))
        } else if column.coll_clause.is_some() {
            Found::new(format!(
                "another collation for {table}.{name} rebuilds every index on it under the lock"
            ))
        } else {
            match to.conversion(from.as_ref()) {
                Conversion::Free if checked => {
                    Found::new(format!("the CHECK on {table}.{name} makes the change to {to} scan the table"))
                }
                _ if zoned && !checked => continue,
                Conversion::Free => continue,
                Conversion::Rewrites => {
                    Found::new(format!("changing {table}.{name} to {to} rewrites the table"))
                }
                Conversion::Depends => {
                    let weight = if to.modifiers.is_empty() { Severity::Hint } else { Severity::Warning };
                    Found::new(format!(
                        "changing {table}.{name} to {to} rewrites the table unless it is only widened"
                    ))
                    .weighing(weight)
                }
            }
        };
        let each = each.on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD COLUMN {name}_new {to};\n-- a trigger for new rows, a backfill for the old ones, then:\nALTER TABLE {table} RENAME COLUMN {name} TO {name}_old;\nALTER TABLE {table} RENAME COLUMN {name}_new TO {name};"
        )));
    }
    found
}

/// `USING c::type`, which is what happens without it.
fn is_plain_cast(using: &Tree, to: &ColumnType) -> bool {
    let name = using.get("type_name").get("names").qualified().name;
    using.kind() == "ColumnRef" || (using.get("arg").kind() == "ColumnRef" && name == to.name.name)
}
