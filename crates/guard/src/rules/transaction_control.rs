//! BEGIN, COMMIT and ROLLBACK in a file.

use sql::NodeEnum;
use sql::ast::TransactionStmtKind;

use crate::act::{Act, Via};
use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "transaction-control",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a file begins or ends a transaction",
    lock: "none",
    why: "A migration is one transaction together with its row in the history; COMMIT in the file ends it. One BEGIN .. COMMIT around the whole file says nothing new: a hint.",
    rewrite: "-- delete the statement, or split the file where it stands",
    bad: &[
        "alter table leads add column a int; commit; alter table leads add column b int",
        "begin; alter table leads add column a int",
        "do $$ begin commit; end $$",
    ],
    good: &["savepoint a; release a", "-- pgdeploy:\n--   transaction: false\ndo $$ begin commit; end $$"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    use TransactionStmtKind::{
        TransStmtBegin, TransStmtCommit, TransStmtRelease, TransStmtRollbackTo, TransStmtSavepoint,
        TransStmtStart,
    };
    let Some(NodeEnum::TransactionStmt(statement)) = look.node() else { return Vec::new() };
    if matches!(statement.kind(), TransStmtSavepoint | TransStmtRelease | TransStmtRollbackTo) {
        return Vec::new();
    }
    // Without a transaction around it, a block ends its own.
    if !look.transaction && look.act.via.contains(&Via::Do) {
        return Vec::new();
    }
    let kind = |act: Option<&Act>| match act.and_then(|act| act.node.as_ref()) {
        Some(NodeEnum::TransactionStmt(statement)) => Some(statement.kind()),
        _ => None,
    };
    let count = look.acts.iter().filter(|act| kind(Some(act)).is_some()).count();
    let around = count == 2
        && matches!(kind(look.acts.first()), Some(TransStmtBegin | TransStmtStart))
        && kind(look.acts.last()) == Some(TransStmtCommit);
    let found = Found::new("a migration is one transaction and cannot begin or end one itself");
    vec![if around { found.weighing(Severity::Hint) } else { found }]
}
