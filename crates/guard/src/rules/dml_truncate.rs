//! TRUNCATE in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-truncate",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration empties a table",
    lock: "ACCESS EXCLUSIVE: nobody reads or writes the table until COMMIT; CASCADE takes it on referencing tables as well",
    why: "All rows are lost, and so are those of referencing tables with CASCADE.",
    rewrite: "-- backfills/0001_fill.sql
DELETE FROM staging_leads;",
    bad: &["truncate leads", "truncate a, b cascade", "do $$ begin truncate leads; end $$"],
    good: &[
        "create table t (a int); truncate t",
        "create trigger t after truncate on leads execute function f()",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| {
        write.change == Change::Truncate && !write.table.as_ref().is_some_and(|table| look.is_new(table))
    })
}
