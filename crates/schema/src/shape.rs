//! What a text tells of itself: how many statements it has, which existing tables it wants for itself, which it makes.

use sql::ast::{AlterTableType, ObjectType, RangeVar};
use sql::{NodeEnum, Source, Statement};

/// What has to be known of a text before it is run.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// How many statements it has.
    pub(crate) statements: usize,
    /// The tables and views, by name as SQL, on which they take ACCESS EXCLUSIVE (section 13.3.1): those that nobody may
    /// even read meanwhile. What cannot be told from the text is left out.
    pub(crate) tables: Vec<String>,
    /// The tables that it makes, by name as SQL; not those that may have been there before.
    pub(crate) makes: Vec<String>,
}

impl Shape {
    pub(crate) fn of(source: &Source) -> Self {
        let read = sql::parse(source, |statements| Self::read(&statements));
        // A syntax error is found, and told, elsewhere. Such a text fails as a whole.
        read.unwrap_or(Self { statements: usize::MAX, tables: Vec::new(), makes: Vec::new() })
    }

    pub(crate) fn read(statements: &[Statement]) -> Self {
        let mut tables: Vec<String> =
            statements.iter().flat_map(|statement| exclusive(&statement.node)).collect();
        tables.sort();
        tables.dedup();
        let makes = statements.iter().filter_map(|statement| made(&statement.node)).collect();
        Self { statements: statements.len(), tables, makes }
    }
}

fn exclusive(node: &NodeEnum) -> Vec<String> {
    let one = |relation: &Option<RangeVar>| relation.as_ref().map(name).into_iter().collect();
    match node {
        NodeEnum::AlterTableStmt(alter) if alter.cmds.iter().any(is_exclusive) => one(&alter.relation),
        NodeEnum::RenameStmt(rename) if rename.rename_type() != ObjectType::ObjectIndex => {
            one(&rename.relation)
        }
        NodeEnum::AlterObjectSchemaStmt(alter) => one(&alter.relation),
        NodeEnum::DropStmt(drop) if !drop.concurrent => match drop.remove_type() {
            ObjectType::ObjectTable | ObjectType::ObjectView | ObjectType::ObjectMatview => {
                drop.objects.iter().filter_map(listed).collect()
            }
            _ => Vec::new(),
        },
        NodeEnum::TruncateStmt(truncate) => {
            let relations = truncate.relations.iter().filter_map(|node| match &node.node {
                Some(NodeEnum::RangeVar(relation)) => Some(name(relation)),
                _ => None,
            });
            relations.collect()
        }
        _ => Vec::new(),
    }
}

fn made(node: &NodeEnum) -> Option<String> {
    match node {
        NodeEnum::CreateStmt(create) if !create.if_not_exists => {
            // A temporary one is its session's alone, and another may have its name.
            create.relation.as_ref().filter(|relation| relation.relpersistence != "t").map(name)
        }
        _ => None,
    }
}

/// What takes a weaker lock is left out (ALTER TABLE in the manual's reference names each).
fn is_exclusive(command: &sql::Node) -> bool {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return false };
    let weaker = matches!(
        command.subtype(),
        AlterTableType::AtValidateConstraint
            | AlterTableType::AtSetStatistics
            | AlterTableType::AtSetOptions
            | AlterTableType::AtSetRelOptions
            | AlterTableType::AtResetRelOptions
            | AlterTableType::AtClusterOn
            | AlterTableType::AtAttachPartition
            | AlterTableType::AtEnableTrig
            | AlterTableType::AtDisableTrig
    );
    !weaker
}

pub(crate) fn name(relation: &RangeVar) -> String {
    match relation.schemaname.as_str() {
        "" => sql::identifier(&relation.relname),
        schema => sql::qualified(schema, &relation.relname),
    }
}

/// A name as a list of its parts.
pub(crate) fn listed(node: &sql::Node) -> Option<String> {
    let Some(NodeEnum::List(list)) = &node.node else { return None };
    let parts = list.items.iter().map(|part| match &part.node {
        Some(NodeEnum::String(part)) => Some(sql::identifier(&part.sval)),
        _ => None,
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_statements_that_shut_everybody_out_count() {
        let text = "alter table a add x int; alter table s.\"B\" validate constraint c; drop table if exists c, s.d; \
            create table e (i int); truncate f; alter table g rename to h; create index on i (x); alter index j rename to k;";
        let source = Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        assert_eq!(Shape::of(&source).tables, ["\"a\"", "\"c\"", "\"f\"", "\"g\"", "\"s\".\"d\""]);
    }

    #[test]
    fn a_table_that_may_have_been_there_before_is_not_made() {
        let text = "create table a (i int); create table if not exists b (i int); create table s.c (i int); create temp table d (i int);";
        let source = Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        assert_eq!(Shape::of(&source).makes, ["\"a\"", "\"s\".\"c\""]);
    }
}
