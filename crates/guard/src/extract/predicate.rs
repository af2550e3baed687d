//! The WHERE of an UPDATE that has none: which rows are still to do.

use sql::ast::{AlterTableType, ConstrType, UpdateStmt};
use sql::{Node, NodeEnum, Statement};

use crate::call;
use crate::look::{column, constraint_of};
use crate::name::Name;
use crate::tree::Tree;

/// `c IS NULL` for a column that the same file adds, `c IS DISTINCT FROM ..` for others. An UPDATE that would go on for
/// ever has no such predicate.
pub(super) fn of(update: &UpdateStmt, statements: &[Statement]) -> Result<String, String> {
    let table = update.relation.as_ref().map_or_else(|| Name::plain(""), Name::of);
    let alias = update.relation.as_ref().and_then(|relation| relation.alias.as_ref());
    let prefix = alias.map_or_else(|| table.quoted(), |alias| Name::plain(&alias.aliasname).quoted());
    let mut open = Vec::new();
    for node in &update.target_list {
        let Some(NodeEnum::ResTarget(target)) = &node.node else { continue };
        let name = Name::plain(&target.name).quoted();
        let value = target.val.as_deref();
        if value.is_some_and(|value| matches!(value.node, Some(NodeEnum::MultiAssignRef(_)))) {
            return Err("UPDATE .. SET (a, b) = (..) without WHERE: say which rows are still to do".into());
        }
        if is_added(statements, &table, &target.name) {
            return Ok(format!("{prefix}.{name} IS NULL"));
        }
        let value = value.ok_or("an assignment without a value")?;
        if !is_final(value, &target.name) {
            return Err(format!(
                "UPDATE without WHERE that changes {} again each time it runs: say which rows are still to do",
                target.name
            ));
        }
        let text = sql::expression(value).ok_or("an expression that cannot be written anew")?;
        open.push(format!("{prefix}.{name} IS DISTINCT FROM ({text})"));
    }
    if open.is_empty() { Err("an UPDATE that assigns nothing".into()) } else { Ok(open.join(" OR ")) }
}

/// Whether the file adds the column, with nothing in it.
fn is_added(statements: &[Statement], table: &Name, name: &str) -> bool {
    statements.iter().any(|statement| {
        let NodeEnum::AlterTableStmt(alter) = &statement.node else { return false };
        alter.relation.as_ref().is_some_and(|relation| Name::of(relation).same(table))
            && alter.cmds.iter().any(|node| match &node.node {
                Some(NodeEnum::AlterTableCmd(command))
                    if command.subtype() == AlterTableType::AtAddColumn =>
                {
                    column(command).is_some_and(|column| {
                        column.colname == name && constraint_of(column, ConstrType::ConstrDefault).is_none()
                    })
                }
                _ => false,
            })
    })
}

/// Whether assigning it a second time changes nothing: it neither reads the column nor calls anything but what is known
/// to answer the same.
fn is_final(value: &Node, column: &str) -> bool {
    const SAME: [&str; 14] = [
        "lower",
        "upper",
        "btrim",
        "trim",
        "ltrim",
        "rtrim",
        "substr",
        "substring",
        "split_part",
        "left",
        "right",
        "md5",
        "concat",
        "length",
    ];
    let tree = Tree::of(value);
    let reads_itself =
        tree.any(|part| part.kind() == "ColumnRef" && part.get("fields").qualified().name == column);
    let moves = tree.any(|part| matches!(part.kind(), "SqlValueFunction" | "SetToDefault"));
    let calls = call::of(&tree);
    !reads_itself
        && !moves
        && calls.iter().all(|call| call.is_builtin() && SAME.contains(&call.name.name.as_str()))
}
