//! Statements that the server does not run inside a transaction block.

use pg_query::{Node, NodeEnum};

/// Whether a statement refuses to run inside a transaction block (`PreventInTransactionBlock` in PostgreSQL's source), or
/// may end the transaction it runs in: a procedure or a DO block with COMMIT.
pub fn is_outside(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::CallStmt(_) | NodeEnum::DoStmt(_) => true,
        other => refuses_a_block(other),
    }
}

/// Whether the wait for its locks holds up nobody but those who want the same: what is made for a database in use takes
/// no lock that readers or writers would queue behind.
pub fn waits_gently(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::IndexStmt(_) | NodeEnum::DropStmt(_) | NodeEnum::AlterTableStmt(_) => refuses_a_block(node),
        NodeEnum::ReindexStmt(reindex) => reindex.params.iter().any(is_concurrently),
        NodeEnum::VacuumStmt(vacuum) => !vacuum.options.iter().any(|option| is_named(option, "full")),
        _ => false,
    }
}

/// Whether a statement refuses to run inside a transaction block, as far as its text tells.
pub fn refuses_a_block(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::IndexStmt(index) => index.concurrent,
        NodeEnum::DropStmt(drop) => drop.concurrent,
        NodeEnum::ReindexStmt(reindex) => {
            reindex.params.iter().any(is_concurrently) || reindex.relation.is_none()
        }
        NodeEnum::VacuumStmt(vacuum) => vacuum.is_vacuumcmd,
        NodeEnum::ClusterStmt(cluster) => cluster.relation.is_none(),
        NodeEnum::AlterTableStmt(alter) => alter.cmds.iter().any(detaches_concurrently),
        NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_)
        | NodeEnum::CreateSubscriptionStmt(_)
        | NodeEnum::DropSubscriptionStmt(_) => true,
        _ => false,
    }
}

fn is_concurrently(parameter: &Node) -> bool {
    is_named(parameter, "concurrently")
}

fn is_named(parameter: &Node, name: &str) -> bool {
    matches!(&parameter.node, Some(NodeEnum::DefElem(element)) if element.defname == name)
}

/// Whether a command of ALTER TABLE is DETACH PARTITION .. CONCURRENTLY.
pub fn detaches_concurrently(command: &Node) -> bool {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return false };
    let Some(Some(NodeEnum::PartitionCmd(detach))) = command.def.as_ref().map(|def| &def.node) else {
        return false;
    };
    detach.concurrent
}
