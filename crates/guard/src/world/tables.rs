//! Tables with their columns, constraints and indexes.

use sql::NodeEnum;
use sql::ast::{
    AlterTableCmd, AlterTableType, ColumnDef, ConstrType, Constraint, CreateStmt, DropStmt, IndexStmt,
    ObjectType, RenameStmt,
};

use super::{Check, World};
use crate::call;
use crate::column_type::ColumnType;
use crate::name::{Name, word};
use crate::tree::Tree;

impl World {
    pub(super) fn create_table(&mut self, create: &CreateStmt, tree: &Tree) {
        let Some(relation) = &create.relation else { return };
        let name = Name::of(relation);
        for element in create.table_elts.iter().filter_map(|node| node.node.as_ref()) {
            match element {
                NodeEnum::ColumnDef(column) => self.column(&name, column),
                NodeEnum::Constraint(constraint) => self.constraint(&name, constraint),
                _ => {}
            }
        }
        if create.partspec.is_some() {
            self.partitioned.insert(name.name.clone());
        }
        if create.partbound.as_ref().is_some_and(|bound| bound.is_default) {
            let parent = tree.get("inh_relations").list().first().and_then(Tree::relation);
            self.with_default_partition.extend(parent.map(|parent| parent.name));
        }
        // Defaults and checks run when a row comes in.
        let calls = call::of(tree.get("table_elts"));
        if !calls.is_empty() {
            self.on_write.entry(name.name.clone()).or_default().extend(calls);
        }
        self.new_here.push(name);
    }

    fn column(&mut self, table: &Name, column: &ColumnDef) {
        let key = (table.name.clone(), column.colname.clone());
        if let Some(written) = &column.type_name {
            self.columns.insert(key.clone(), ColumnType::of(written));
        }
        if column.is_not_null {
            self.not_null.insert(key.clone());
        }
        for node in &column.constraints {
            if let Some(NodeEnum::Constraint(constraint)) = &node.node {
                self.constraint(table, constraint);
                let kind = constraint.contype();
                if matches!(kind, ConstrType::ConstrPrimary | ConstrType::ConstrUnique) {
                    self.indexed.insert(key.clone());
                }
                if matches!(
                    kind,
                    ConstrType::ConstrPrimary | ConstrType::ConstrNotnull | ConstrType::ConstrIdentity
                ) {
                    self.not_null.insert(key.clone());
                }
            }
        }
    }

    fn constraint(&mut self, table: &Name, constraint: &Constraint) {
        let key = (table.name.clone(), constraint.conname.clone());
        self.dropped.remove(&key);
        if constraint.skip_validation {
            self.not_valid_here.insert(key.clone());
        }
        let kind = constraint.contype();
        let keys: Vec<&str> = constraint.keys.iter().filter_map(word).collect();
        if let Some(first) = keys.first().filter(|_| kind != ConstrType::ConstrNotnull) {
            self.indexed.insert((table.name.clone(), (*first).to_owned()));
        }
        if kind == ConstrType::ConstrPrimary
            || kind == ConstrType::ConstrNotnull && !constraint.skip_validation
        {
            let columns = keys.iter().map(|column| (table.name.clone(), (*column).to_owned()));
            self.not_null.extend(columns);
        }
        if let Some(check) = Check::of(constraint) {
            self.checks.insert(key, check);
        }
    }

    pub(super) fn alter(&mut self, table: &Name, command: &AlterTableCmd) {
        let definition = command.def.as_ref().and_then(|node| node.node.as_ref());
        let key = (table.name.clone(), command.name.clone());
        match (command.subtype(), definition) {
            (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(column))) => self.column(table, column),
            (AlterTableType::AtAddConstraint, Some(NodeEnum::Constraint(constraint))) => {
                self.constraint(table, constraint);
            }
            (AlterTableType::AtAlterColumnType, Some(NodeEnum::ColumnDef(column))) => {
                if let Some(written) = &column.type_name {
                    self.columns.insert(key, ColumnType::of(written));
                }
            }
            (AlterTableType::AtColumnDefault, Some(default)) => {
                let calls = call::of(&Tree::of(default));
                self.on_write.entry(table.name.clone()).or_default().extend(calls);
            }
            (AlterTableType::AtSetNotNull, _) => {
                self.not_null.insert(key);
            }
            (AlterTableType::AtDropNotNull | AlterTableType::AtDropColumn, _) => {
                self.not_null.remove(&key);
            }
            (AlterTableType::AtValidateConstraint, _) => {
                if let Some(check) = self.checks.get_mut(&key) {
                    check.valid = true;
                }
                self.validated.insert(key);
            }
            (AlterTableType::AtDropConstraint, _) => {
                self.checks.remove(&key);
                self.dropped.insert(key);
            }
            _ => {}
        }
    }

    pub(super) fn index(&mut self, index: &IndexStmt) {
        let table = index.relation.as_ref().map(|relation| relation.relname.clone());
        let columns: Vec<String> = index
            .index_params
            .iter()
            .filter_map(|node| match &node.node {
                Some(NodeEnum::IndexElem(element)) => Some(element.name.clone()),
                _ => None,
            })
            .collect();
        self.indexed.extend(table.zip(columns.first().cloned()));
        if !index.idxname.is_empty() && columns.iter().all(|column| !column.is_empty()) {
            self.index_columns.insert(index.idxname.clone(), columns);
        }
    }

    pub(super) fn rename(&mut self, rename: &RenameStmt) {
        match rename.rename_type() {
            ObjectType::ObjectFunction | ObjectType::ObjectProcedure | ObjectType::ObjectRoutine => {
                let tree = rename.object.as_ref().map_or(Tree::Nothing, Tree::of);
                if let Some(routine) = self.routines.get(&tree.get("objname").qualified().name).cloned() {
                    self.routines.insert(rename.newname.clone(), routine);
                }
            }
            ObjectType::ObjectTable | ObjectType::ObjectView => {
                if let Some(name) =
                    rename.relation.as_ref().map(Name::of).filter(|name| self.is_new_here(name))
                {
                    self.new_here.push(Name { name: rename.newname.clone(), ..name });
                }
            }
            _ => {}
        }
    }

    pub(super) fn drop(&mut self, drop: &DropStmt) {
        if drop.remove_type() != ObjectType::ObjectTable {
            return;
        }
        for object in &drop.objects {
            let name = Tree::of(object).qualified();
            self.new_here.retain(|new| !new.same(&name));
            self.columns.retain(|(table, _), _| *table != name.name);
            self.not_null.retain(|(table, _)| *table != name.name);
            self.checks.retain(|(table, _), _| *table != name.name);
            self.on_write.remove(&name.name);
            self.rules.remove(&name.name);
        }
    }
}
