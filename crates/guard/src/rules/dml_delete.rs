//! DELETE in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-delete",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration deletes rows",
    lock: "ROW EXCLUSIVE on the table, a row lock on each row until COMMIT",
    why: "It runs in the migration's one transaction: every row stays locked to COMMIT, together with the locks of the DDL around it, the table swells by a second version of each row, and a failure starts it over. It does not matter whether it hides in WITH, EXPLAIN ANALYZE, a prepared statement, a DO block or a text that EXECUTE runs.",
    rewrite: "-- backfills/0001_fill.sql
DELETE FROM leads WHERE status = 'spam';",
    bad: &[
        "delete from leads where status = 'spam'",
        "copy (delete from leads returning *) to '/tmp/x'",
        "do $$ begin for r in 1..3 loop delete from leads where ctid = any(array(select ctid from leads limit 10)); end loop; end $$",
    ],
    good: &[
        "create rule r as on delete to leads do also delete from calls",
        "create table a (id int references leads on delete cascade)",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| matches!(write.change, Change::Delete))
}
