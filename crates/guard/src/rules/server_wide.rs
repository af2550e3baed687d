//! ALTER SYSTEM, DROP DATABASE and the like.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use sql::NodeEnum;

pub(super) const RULE: Rule = Rule {
    id: "server-wide",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a statement reaches beyond the database's schema",
    lock: "depends",
    why: "It changes the server or a whole database, which no release of a schema should.",
    rewrite: "-- by hand, outside of a release",
    bad: &[
        "alter system set work_mem = '1GB'",
        "drop database crm",
        "drop tablespace fast",
        "alter database crm set tablespace fast",
        "select pg_terminate_backend(pid) from pg_stat_activity",
    ],
    good: &[],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let what = match look.node() {
        Some(NodeEnum::AlterSystemStmt(_)) => "ALTER SYSTEM changes the whole server",
        Some(NodeEnum::DropdbStmt(_)) => "DROP DATABASE loses everything in it",
        Some(NodeEnum::DropTableSpaceStmt(_)) => "DROP TABLESPACE reaches beyond this database",
        Some(NodeEnum::AlterDatabaseStmt(_))
            if look.act.tree.any(|part| part.get("defname").text() == Some("tablespace")) =>
        {
            "ALTER DATABASE .. SET TABLESPACE copies the whole database while nobody can use it"
        }
        _ if ends_others(look) => "this ends or reconfigures sessions of others",
        _ => return Vec::new(),
    };
    vec![Found::new(what)]
}

fn ends_others(look: &Look<'_>) -> bool {
    const ROUTINES: [&str; 6] = [
        "pg_terminate_backend",
        "pg_cancel_backend",
        "pg_reload_conf",
        "pg_promote",
        "pg_switch_wal",
        "pg_rotate_logfile",
    ];
    look.act.calls.iter().any(|call| call.is_builtin() && ROUTINES.contains(&call.name.name.as_str()))
}
