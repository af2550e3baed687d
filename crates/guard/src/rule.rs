//! What a rule is, and what it sees of a file.

use std::ops::Range;

use sql::NodeEnum;
use sql::ast::{AlterTableCmd, AlterTableType, ColumnDef, ConstrType, Constraint};

use crate::act::Act;
use crate::knowledge::Knowledge;
use crate::name::Name;
use crate::severity::Severity;
use crate::world::World;

/// What kind of promise a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A migration changes the schema, never rows.
    IronRule,
    /// DDL that is known to rewrite, scan or block a live table, or to lose data.
    Hazard,
    /// What cannot be told from the text.
    Unproven,
    /// What the guard says about files, acceptances and lists.
    Form,
}

/// One rule: what it looks for, why, and what to write instead.
pub struct Rule {
    /// What acceptances and reports call it.
    pub id: &'static str,
    /// The weight of its findings, unless one says otherwise.
    pub severity: Severity,
    /// The promise that it keeps.
    pub kind: Kind,
    /// One line on what it finds.
    pub summary: &'static str,
    /// The lock taken and what it blocks, as measured on PostgreSQL 12 to 18.
    pub lock: &'static str,
    /// Why it matters, and when it does not.
    pub why: &'static str,
    /// What to write instead, as SQL with comments.
    pub rewrite: &'static str,
    /// Files in which it finds something.
    pub bad: &'static [&'static str],
    /// Files in which no rule finds anything above a hint.
    pub good: &'static [&'static str],
    pub(crate) find: fn(&Look<'_>) -> Vec<Found>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Rule({})", self.id)
    }
}

/// What a rule found in one act.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) message: String,
    pub(crate) severity: Option<Severity>,
    /// SQL that can be pasted, with the file's own names.
    pub(crate) rewrite: Option<String>,
    /// Where, if not at the act.
    pub(crate) span: Option<Range<usize>>,
    /// Whether an acceptance may settle it.
    pub(crate) acceptable: bool,
}

impl Found {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), severity: None, rewrite: None, span: None, acceptable: true }
    }

    pub(crate) fn weighing(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    pub(crate) fn rewrite(mut self, sql: impl Into<String>) -> Self {
        self.rewrite = Some(sql.into());
        self
    }
}

/// One act with its surroundings.
pub(crate) struct Look<'a> {
    pub(crate) act: &'a Act,
    /// All acts of the file, and which of them this is.
    pub(crate) acts: &'a [Act],
    pub(crate) at: usize,
    /// How many statements the file has.
    pub(crate) statements: usize,
    /// What the files so far, and this one up to here, have made.
    pub(crate) world: &'a World,
    pub(crate) knowledge: &'a Knowledge,
}

impl<'a> Look<'a> {
    pub(crate) fn node(&self) -> Option<&'a NodeEnum> {
        self.act.node.as_ref()
    }

    /// Whether nobody can be using a table yet.
    pub(crate) fn is_new(&self, table: &Name) -> bool {
        self.world.is_new_here(table)
            || self.knowledge.new_tables.iter().any(|new| new.same(table))
            || self.knowledge.one_deploy && self.world.new_before.iter().any(|new| new.same(table))
            || table.schema.as_deref() == Some("pg_temp")
    }

    /// Every command of an ALTER TABLE on a table that may be in use.
    pub(crate) fn alterations(&self) -> Vec<(Name, &'a AlterTableCmd)> {
        let Some(NodeEnum::AlterTableStmt(alter)) = self.node() else { return Vec::new() };
        let Some(table) = alter.relation.as_ref().map(Name::of).filter(|table| !self.is_new(table)) else {
            return Vec::new();
        };
        let commands = alter.cmds.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::AlterTableCmd(command)) => Some((table.clone(), command.as_ref())),
            _ => None,
        });
        commands.collect()
    }

    /// The commands of one kind.
    pub(crate) fn altering(&self, kinds: &[AlterTableType]) -> Vec<(Name, &'a AlterTableCmd)> {
        self.alterations().into_iter().filter(|(_, command)| kinds.contains(&command.subtype())).collect()
    }

    /// Columns that are added to a table that may be in use.
    pub(crate) fn added_columns(&self) -> Vec<(Name, &'a ColumnDef)> {
        let added = self.altering(&[AlterTableType::AtAddColumn]).into_iter();
        added.filter_map(|(table, command)| Some((table, column(command)?))).collect()
    }

    /// Constraints that are added to a table that may be in use, apart from those of added columns.
    pub(crate) fn added_constraints(&self, kind: ConstrType) -> Vec<(Name, &'a Constraint)> {
        let added = self.altering(&[AlterTableType::AtAddConstraint]).into_iter();
        let of = added.filter_map(|(table, command)| match command.def.as_ref()?.node.as_ref()? {
            NodeEnum::Constraint(constraint) => Some((table, constraint.as_ref())),
            _ => None,
        });
        of.filter(|(_, constraint)| constraint.contype() == kind).collect()
    }

    /// The acts after this one.
    pub(crate) fn later(&self) -> &'a [Act] {
        self.acts.get(self.at + 1..).unwrap_or(&[])
    }
}

/// The column that a command defines.
pub(crate) fn column(command: &AlterTableCmd) -> Option<&ColumnDef> {
    match command.def.as_ref()?.node.as_ref()? {
        NodeEnum::ColumnDef(column) => Some(column),
        _ => None,
    }
}

/// The constraint of one kind that is written behind a column.
pub(crate) fn constraint_of(column: &ColumnDef, kind: ConstrType) -> Option<&Constraint> {
    column.constraints.iter().find_map(|node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) if constraint.contype() == kind => Some(constraint.as_ref()),
        _ => None,
    })
}

/// A column's type as SQL.
pub(crate) fn type_text(column: &ColumnDef) -> String {
    column
        .type_name
        .as_ref()
        .map_or_else(String::new, |written| crate::column_type::ColumnType::of(written).to_string())
}
