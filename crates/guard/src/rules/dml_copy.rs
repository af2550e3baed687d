//! COPY .. FROM in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-copy",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration loads rows",
    lock: "ROW EXCLUSIVE on the table until COMMIT",
    why: "Rows come from a file or a program of the server. It runs in the migration's one transaction: every row stays locked to COMMIT, together with the locks of the DDL around it, the table swells by a second version of each row, and a failure starts it over. It does not matter whether it hides in WITH, EXPLAIN ANALYZE, a prepared statement, a DO block or a text that EXECUTE runs.",
    rewrite: r#"-- load the rows outside of a release, with psql's \copy"#,
    bad: &["copy leads from '/tmp/x'", "copy leads from program 'cat /tmp/x'"],
    good: &["copy leads to '/tmp/x'", "copy (select * from leads) to '/tmp/x'"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    super::changes(look, |write| matches!(write.change, Change::CopyFrom))
}
