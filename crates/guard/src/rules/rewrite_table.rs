//! SET LOGGED, SET TABLESPACE, CLUSTER, VACUUM FULL.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;
use sql::ast::AlterTableType;

pub(super) const RULE: Rule = Rule {
    id: "rewrite-table",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a table is rewritten",
    lock: "ACCESS EXCLUSIVE while the whole table and its indexes are rewritten",
    why: "There is no variant that lets others through.",
    rewrite: "-- pg_repack, by hand",
    bad: &[
        "alter table leads set unlogged",
        "alter table leads set tablespace fast",
        "cluster leads using leads_pkey",
        "vacuum full leads",
        "alter table leads set access method heap2",
    ],
    good: &["alter table leads set (fillfactor = 80)", "analyze leads"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    use AlterTableType::{AtSetAccessMethod, AtSetLogged, AtSetTableSpace, AtSetUnLogged};
    match look.node() {
        Some(NodeEnum::AlterTableStmt(_)) => {
            let rewriting = look.altering(&[AtSetLogged, AtSetUnLogged, AtSetTableSpace, AtSetAccessMethod]);
            rewriting
                .iter()
                .map(|(table, _)| Found::new(format!("{table} is rewritten under the lock")).on(table))
                .collect()
        }
        Some(NodeEnum::ClusterStmt(_)) => vec![Found::new("CLUSTER rewrites the table under the lock")],
        Some(NodeEnum::VacuumStmt(_)) if super::has_option(look.act.tree.get("options"), "full") => {
            vec![Found::new("VACUUM FULL rewrites the table under the lock")]
        }
        Some(NodeEnum::AlterTableMoveAllStmt(_)) => {
            vec![Found::new("every table of the tablespace is rewritten")]
        }
        _ => Vec::new(),
    }
}
