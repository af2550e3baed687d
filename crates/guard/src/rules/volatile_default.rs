//! ADD COLUMN with a default that differs from row to row.

use sql::ast::ConstrType;

use crate::look::Look;
use crate::look::{constraint_of, type_text};
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "volatile-default",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "an added column has a volatile default",
    lock: "ACCESS EXCLUSIVE while the whole table and all its indexes are rewritten",
    why: "Constants and stable expressions, now() among them, are stored once in the catalog (11 and later): no rewrite. random(), clock_timestamp(), gen_random_uuid(), nextval() and functions that are not known to be stable are evaluated for each row.",
    rewrite: "ALTER TABLE leads ADD COLUMN token uuid;
ALTER TABLE leads ALTER COLUMN token SET DEFAULT gen_random_uuid();
-- backfills/0001_fill.sql
UPDATE leads SET token = gen_random_uuid() WHERE token IS NULL;",
    bad: &[
        "alter table leads add column token uuid default gen_random_uuid()",
        "alter table leads add seen timestamptz default clock_timestamp()",
        "do $$ begin alter table leads add column n bigint default nextval('s'); end $$",
    ],
    good: &[
        "alter table leads add column a timestamptz not null default now()",
        "alter table leads add column b int default 0, add c timestamptz default current_timestamp",
        "alter table leads alter column token set default gen_random_uuid()",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, column) in look.added_columns() {
        let Some(default) = constraint_of(column, ConstrType::ConstrDefault) else { continue };
        let Some(expression) = &default.raw_expr else { continue };
        let Some(volatile) = look.world.volatile(expression) else { continue };
        let name = &column.colname;
        let each =
            Found::new(format!("column {name} has the default {volatile}(), which rewrites all of {table}"));
        let each = each.on(&table);
        let table = table.quoted();
        found.push(each.rewrite(format!(
            "ALTER TABLE {table} ADD COLUMN {name} {};\nALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {};\n-- then a backfill:\nUPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL;",
            type_text(column),
            sql::expression(expression).unwrap_or_default()
        )));
    }
    found
}
