//! UPDATE in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-update",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration updates rows",
    lock: "ROW EXCLUSIVE on the table, a row lock on each row until COMMIT",
    why: "It runs in the migration's one transaction: every row stays locked to COMMIT, together with the locks of the DDL around it, the table swells by a second version of each row, and a failure starts it over. It does not matter whether it hides in WITH, EXPLAIN ANALYZE, a prepared statement, a DO block or a text that EXECUTE runs.",
    rewrite: "-- backfills/0001_fill.sql
UPDATE leads SET status = 'new' WHERE status IS NULL;",
    bad: &[
        "update leads set status = 'new' where status is null",
        "with a as (update leads set x = 1 returning *) select count(*) from a",
        "explain analyze update leads set x = 1",
        "do $$ begin execute format('UPDATE %I SET x = 1', 'leads'); end $$",
        "prepare p as update leads set x = 1; execute p",
        "do $$ declare v text := 'upd'; begin v := v || 'ate leads set x = 1'; execute v; end $$",
    ],
    good: &[
        "create function f() returns void language sql as 'update leads set x = 1'",
        "explain update leads set x = 1",
        "grant update on leads to app",
        "create policy p on leads for update using (true)",
        "comment on table leads is 'update leads set x = 1'",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| matches!(write.change, Change::Update))
}
