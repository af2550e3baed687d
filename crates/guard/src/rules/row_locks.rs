//! SELECT .. FOR UPDATE in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "row-locks",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a query locks rows until COMMIT",
    lock: "ROW SHARE on the table, a lock on each row until COMMIT",
    why: "Writers of these rows wait for the whole migration.",
    rewrite: "SELECT 1; -- without FOR UPDATE",
    bad: &["select * from leads for update", "do $$ begin perform 1 from leads for no key update; end $$"],
    good: &["create view v as select * from leads for update"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::SelectStmt(_)) = look.node() else { return Vec::new() };
    let locks = !look.act.tree.get("locking_clause").is_nothing();
    let used = look.act.tree.relations().iter().any(|name| !look.is_new(name));
    if locks && used {
        vec![Found::new("this query locks the rows that it reads until COMMIT")]
    } else {
        Vec::new()
    }
}
