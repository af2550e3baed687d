//! MERGE in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-merge",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration merges rows",
    lock: "ROW EXCLUSIVE on the table, a row lock on each changed row until COMMIT",
    why: "It runs in the migration's one transaction: every row stays locked to COMMIT, together with the locks of the DDL around it, the table swells by a second version of each row, and a failure starts it over. It does not matter whether it hides in WITH, EXPLAIN ANALYZE, a prepared statement, a DO block or a text that EXECUTE runs.",
    rewrite: "-- backfills/0001_fill.sql
UPDATE leads SET total = s.total FROM staging s WHERE s.id = leads.id;",
    bad: &["merge into leads l using staging s on s.id = l.id when matched then update set x = s.x"],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| matches!(write.change, Change::Merge))
}
