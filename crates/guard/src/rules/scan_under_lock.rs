//! VALIDATE CONSTRAINT behind a statement that has locked the table already.

use sql::NodeEnum;
use sql::ast::{AlterTableCmd, AlterTableType, ConstrType};

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "scan-under-lock",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a constraint is validated while an earlier statement of the file locks the table",
    lock: "the ACCESS EXCLUSIVE of the earlier statement, held to COMMIT, during the scan",
    why: "VALIDATE by itself scans under SHARE UPDATE EXCLUSIVE, while the table is read and written. Behind an ALTER TABLE in the same transaction, or beside one in the same statement, the scan runs under that one's lock.",
    rewrite: "-- one file
ALTER TABLE leads VALIDATE CONSTRAINT age_check;
-- in a later file
ALTER TABLE leads ADD COLUMN region text;",
    bad: &[
        "alter table leads add column region text; alter table leads validate constraint age_check",
        "alter table leads validate constraint age_check, alter column age set default 1",
    ],
    good: &[
        "alter table leads validate constraint c; alter table leads drop constraint d",
        "alter table leads alter column a set statistics 500; alter table leads validate constraint c",
        "alter table calls add column region text; alter table leads validate constraint c",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let commands = look.alterations();
    let beside = commands.iter().any(|(_, command)| locks(command));
    let mut found = Vec::new();
    for (table, command) in &commands {
        if command.subtype() != AlterTableType::AtValidateConstraint
            // That case has a rule of its own.
            || look.world.not_valid_here.contains(&(table.name.clone(), command.name.clone()))
        {
            continue;
        }
        if beside
            || look.transaction
                && look.acts[..look.at].iter().any(|act| locks_table(act.node.as_ref(), table))
        {
            let message = format!(
                "{} is validated while {table} is locked by another change: the scan runs under that lock",
                command.name
            );
            found.push(Found::new(message).on(table));
        }
    }
    found
}

fn locks_table(node: Option<&NodeEnum>, table: &Name) -> bool {
    let Some(NodeEnum::AlterTableStmt(alter)) = node else { return false };
    alter.relation.as_ref().is_some_and(|relation| Name::of(relation).same(table))
        && alter
            .cmds
            .iter()
            .any(|node| matches!(&node.node, Some(NodeEnum::AlterTableCmd(command)) if locks(command)))
}

/// Whether a command of ALTER TABLE takes ACCESS EXCLUSIVE (manual, ALTER TABLE, and `AlterTableGetLockLevel`).
fn locks(command: &AlterTableCmd) -> bool {
    use AlterTableType::{
        AtAddConstraint, AtAttachPartition, AtClusterOn, AtDisableTrig, AtDisableTrigAll, AtDisableTrigUser,
        AtDropCluster, AtEnableAlwaysTrig, AtEnableReplicaTrig, AtEnableTrig, AtEnableTrigAll,
        AtEnableTrigUser, AtResetOptions, AtResetRelOptions, AtSetOptions, AtSetRelOptions, AtSetStatistics,
        AtValidateConstraint,
    };
    match command.subtype() {
        AtValidateConstraint | AtSetStatistics | AtSetOptions | AtResetOptions | AtSetRelOptions
        | AtResetRelOptions | AtClusterOn | AtDropCluster | AtAttachPartition => false,
        AtEnableTrig | AtEnableAlwaysTrig | AtEnableReplicaTrig | AtEnableTrigAll | AtEnableTrigUser
        | AtDisableTrig | AtDisableTrigAll | AtDisableTrigUser => false,
        // SHARE ROW EXCLUSIVE: no reader waits, but writers do.
        AtAddConstraint => !matches!(command.def.as_ref().and_then(|node| node.node.as_ref()),
            Some(NodeEnum::Constraint(constraint)) if constraint.contype() == ConstrType::ConstrForeign),
        _ => true,
    }
}
