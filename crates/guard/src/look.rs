//! What a rule sees of a file, and what is known of the tables in it.

use sql::NodeEnum;
use sql::ast::{AlterTableCmd, AlterTableType, ColumnDef, ConstrType, Constraint};

use crate::act::Act;
use crate::column_type::ColumnType;
use crate::knowledge::Knowledge;
use crate::name::Name;
use crate::rule::Found;
use crate::world::{Check, World};

/// One act with its surroundings.
pub(crate) struct Look<'a> {
    pub(crate) act: &'a Act,
    /// All acts of the file, and which of them this is.
    pub(crate) acts: &'a [Act],
    pub(crate) at: usize,
    /// How many statements the file has.
    pub(crate) statements: usize,
    /// Whether the file is one transaction. Otherwise (`transaction: false`) each statement has its own, and its locks
    /// are gone when the next one begins.
    pub(crate) transaction: bool,
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
        if self.world.in_use.iter().any(|used| used.same(table)) {
            return false;
        }
        self.world.is_new_here(table)
            || self.knowledge.new_tables.iter().any(|new| new.same(table))
            || self.knowledge.one_deploy && self.world.new_before.iter().any(|new| new.same(table))
            || table.schema.as_deref() == Some("pg_temp")
            || self.knowledge.catalog.as_ref().is_some_and(|catalog| catalog.lacks(table))
    }

    /// The message of what was found, with the tables' sizes. They are for the reader: a table that is tiny here may be
    /// large in the next environment, and a verdict that comes only there comes too late.
    pub(crate) fn sized(&self, found: &Found) -> String {
        let size = |table: &Name| Some(format!("{table}: {}", self.knowledge.table(table)?.size()?));
        let sizes: Vec<String> = found.tables.iter().filter_map(size).collect();
        match sizes.is_empty() {
            true => found.message.clone(),
            false => format!("{} ({})", found.message, sizes.join("; ")),
        }
    }

    /// The CHECKs of a table, by the files and by the catalog.
    pub(crate) fn checks(&self, table: &Name) -> Vec<Check> {
        let of_files = self.world.checks.iter().filter(|((of, _), _)| *of == table.name);
        let mut checks: Vec<Check> = of_files.map(|(_, check)| check.clone()).collect();
        for (name, facts) in self.knowledge.table(table).into_iter().flat_map(|facts| &facts.constraints) {
            let key = (table.name.clone(), name.clone());
            if self.world.dropped.contains(&key) || self.world.checks.contains_key(&key) {
                continue;
            }
            let valid = facts.valid || self.world.validated.contains(&key);
            checks.extend(facts.parse().as_ref().and_then(Check::of).map(|check| Check { valid, ..check }));
        }
        checks
    }

    /// Whether a column is known to be NOT NULL already.
    pub(crate) fn is_not_null(&self, table: &Name, column: &str) -> bool {
        let key = (table.name.clone(), column.to_owned());
        self.world.not_null.contains(&key)
            || self.knowledge.table(table).is_some_and(|facts| facts.not_null.contains(column))
    }

    /// A column's type before the statement, where it is known.
    pub(crate) fn type_of(&self, table: &Name, column: &str) -> Option<ColumnType> {
        let cataloged =
            self.knowledge.table(table).and_then(|facts| ColumnType::parse(facts.types.get(column)?));
        cataloged.or_else(|| self.world.columns.get(&(table.name.clone(), column.to_owned())).cloned())
    }

    /// Whether a table is known to be partitioned.
    pub(crate) fn is_partitioned(&self, table: &Name) -> bool {
        self.world.partitioned.contains(&table.name)
            || self.knowledge.table(table).is_some_and(|facts| facts.partitioned)
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
