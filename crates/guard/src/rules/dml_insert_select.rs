//! INSERT .. SELECT in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-insert-select",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration copies rows",
    lock: "ROW EXCLUSIVE on the target, ACCESS SHARE on what is read, until COMMIT",
    why: "Nothing bounds how many rows a query yields. It runs in the migration's one transaction: every row stays locked to COMMIT, together with the locks of the DDL around it, the table swells by a second version of each row, and a failure starts it over. It does not matter whether it hides in WITH, EXPLAIN ANALYZE, a prepared statement, a DO block or a text that EXECUTE runs.",
    rewrite: "-- backfills/0001_fill.sql
INSERT INTO archive SELECT * FROM leads WHERE status = 'lost' ON CONFLICT DO NOTHING;",
    bad: &[
        "insert into a select * from b",
        "insert into a values ((select max(id) from b))",
        "insert into a table b",
        "with s as (insert into a select 1 returning *) select * from s",
    ],
    good: &["create table s (a int); insert into s values (1), (2)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| matches!(write.change, Change::InsertSelect))
}
