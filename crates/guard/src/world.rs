//! What the files so far have made: tables, routines, types, constraints.

use std::collections::{HashMap, HashSet};

use sql::NodeEnum;
use sql::ast::{AlterTableType, ColumnDef, ConstrType, Constraint, ObjectType};

use crate::act::Act;
use crate::call::Call;
use crate::column_type::ColumnType;
use crate::name::Name;
use crate::routine::Routine;
use crate::tree::Tree;

/// A CHECK constraint on a table that is known from its text.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// The columns that it names.
    pub(crate) columns: Vec<String>,
    /// The column that it proves to hold no NULL.
    pub(crate) not_null: Option<String>,
    pub(crate) valid: bool,
}

/// What is known, by names without their schema, which files rarely agree on.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) new_here: Vec<Name>,
    pub(crate) new_before: Vec<Name>,
    pub(crate) routines: HashMap<String, Routine>,
    /// Routines that are declared IMMUTABLE or STABLE.
    pub(crate) stable: HashSet<String>,
    /// What reading a view calls.
    pub(crate) views: HashMap<String, Vec<Call>>,
    /// Operators and aggregates by the routine behind them.
    pub(crate) operators: HashMap<String, Name>,
    /// Domains, and whether they have a constraint.
    pub(crate) domains: HashMap<String, bool>,
    pub(crate) types_here: HashSet<String>,
    /// Values added to enums that this file did not create.
    pub(crate) enum_values_here: Vec<String>,
    pub(crate) columns: HashMap<(String, String), ColumnType>,
    pub(crate) checks: HashMap<(String, String), Check>,
    /// Constraints that this file adds as NOT VALID.
    pub(crate) not_valid_here: HashSet<(String, String)>,
    /// Constraints that were validated, by this or an earlier file.
    pub(crate) validated: HashSet<(String, String)>,
    pub(crate) partitioned: HashSet<String>,
    pub(crate) indexed: HashSet<(String, String)>,
}

impl World {
    /// Forgets what holds for one file only.
    pub(crate) fn next_file(&mut self) {
        self.new_before.append(&mut self.new_here);
        self.types_here.clear();
        self.enum_values_here.clear();
        self.not_valid_here.clear();
    }

    /// Whether this file created the relation.
    pub(crate) fn is_new_here(&self, name: &Name) -> bool {
        self.new_here.iter().any(|new| new.same(name))
    }

    /// Takes in what an act makes. `text` is its text, where it is a statement of the file.
    pub(crate) fn learn(&mut self, act: &Act, text: &str) {
        let Some(node) = &act.node else { return };
        match node {
            NodeEnum::CreateStmt(create) => {
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
                self.new_here.push(name);
            }
            NodeEnum::CreateTableAsStmt(create) => {
                let into = create.into.as_ref().and_then(|into| into.rel.as_ref());
                self.new_here.extend(into.map(Name::of));
            }
            NodeEnum::SelectStmt(select) => {
                let into = select.into_clause.as_ref().and_then(|into| into.rel.as_ref());
                self.new_here.extend(into.map(Name::of));
            }
            NodeEnum::CreateForeignTableStmt(create) => {
                let relation = create.base_stmt.as_ref().and_then(|base| base.relation.as_ref());
                self.new_here.extend(relation.map(Name::of));
            }
            NodeEnum::ViewStmt(view) => {
                let Some(relation) = &view.view else { return };
                let calls = view.query.as_ref().map_or(Vec::new(), |query| crate::call::of(&Tree::of(query)));
                self.views.insert(relation.relname.clone(), calls);
                self.new_here.push(Name::of(relation));
            }
            NodeEnum::CreateFunctionStmt(function) => {
                let definition = match act.via.is_empty() {
                    true => text.to_owned(),
                    false => sql::statement_text(node.clone()).unwrap_or_default(),
                };
                let routine = Routine::of(function, &definition);
                let stable = function.options.iter().any(|option| {
                    let tree = Tree::of(option);
                    tree.get("defname").text() == Some("volatility")
                        && matches!(tree.get("arg").string(), Some("immutable" | "stable"))
                });
                if stable {
                    self.stable.insert(Name::of_list(&function.funcname).name);
                }
                // Overloads share a name: what any of them does counts.
                let name = Name::of_list(&function.funcname).name;
                let known = self.routines.entry(name).or_default();
                if function.replace || known.writes.is_empty() && known.unproven.is_none() {
                    *known = routine;
                } else {
                    known.writes.extend(routine.writes);
                    known.calls.extend(routine.calls);
                }
            }
            NodeEnum::DefineStmt(define) => {
                let routine = define.definition.iter().find_map(|node| match &node.node {
                    Some(NodeEnum::DefElem(element))
                        if ["sfunc", "sfunc1", "finalfunc", "procedure", "function"]
                            .contains(&element.defname.as_str()) =>
                    {
                        let tree = Tree::of(element.arg.as_ref()?);
                        Some(if tree.kind() == "TypeName" {
                            tree.get("names").qualified()
                        } else {
                            tree.qualified()
                        })
                    }
                    _ => None,
                });
                if let Some(routine) = routine {
                    self.operators.insert(Name::of_list(&define.defnames).name, routine);
                }
            }
            NodeEnum::CreateDomainStmt(domain) => {
                let constrained = domain.constraints.iter().any(|node| {
                    matches!(&node.node, Some(NodeEnum::Constraint(constraint))
                        if matches!(constraint.contype(), ConstrType::ConstrCheck | ConstrType::ConstrNotnull))
                });
                let name = Name::of_list(&domain.domainname).name;
                self.domains.insert(name.clone(), constrained);
                self.types_here.insert(name);
            }
            NodeEnum::CreateEnumStmt(create) => {
                self.types_here.insert(Name::of_list(&create.type_name).name);
            }
            NodeEnum::AlterEnumStmt(alter)
                if alter.old_val.is_empty()
                    && !self.types_here.contains(&Name::of_list(&alter.type_name).name) =>
            {
                self.enum_values_here.push(alter.new_val.clone());
            }
            NodeEnum::AlterDomainStmt(alter) if alter.subtype == "C" || alter.subtype == "O" => {
                self.domains.insert(Name::of_list(&alter.type_name).name, true);
            }
            NodeEnum::AlterTableStmt(alter) => {
                let Some(relation) = &alter.relation else { return };
                let name = Name::of(relation);
                for node in &alter.cmds {
                    if let Some(NodeEnum::AlterTableCmd(command)) = &node.node {
                        self.alter(&name, command);
                    }
                }
            }
            NodeEnum::IndexStmt(index) => {
                let table = index.relation.as_ref().map(|relation| relation.relname.clone());
                let first = index.index_params.first().and_then(|node| match &node.node {
                    Some(NodeEnum::IndexElem(element)) => Some(element.name.clone()),
                    _ => None,
                });
                self.indexed.extend(table.zip(first));
            }
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectTable => {
                for object in &drop.objects {
                    let name = Tree::of(object).qualified();
                    self.new_here.retain(|new| !new.same(&name));
                    self.columns.retain(|(table, _), _| *table != name.name);
                }
            }
            _ => {}
        }
    }

    fn column(&mut self, table: &Name, column: &ColumnDef) {
        if let Some(written) = &column.type_name {
            let key = (table.name.clone(), column.colname.clone());
            self.columns.insert(key, ColumnType::of(written));
        }
        for node in &column.constraints {
            if let Some(NodeEnum::Constraint(constraint)) = &node.node {
                self.constraint(table, constraint);
                if matches!(constraint.contype(), ConstrType::ConstrPrimary | ConstrType::ConstrUnique) {
                    self.indexed.insert((table.name.clone(), column.colname.clone()));
                }
            }
        }
    }

    fn constraint(&mut self, table: &Name, constraint: &Constraint) {
        let key = (table.name.clone(), constraint.conname.clone());
        if constraint.skip_validation {
            self.not_valid_here.insert(key.clone());
        }
        let first = constraint.keys.first().and_then(crate::name::word);
        if let Some(first) = first.filter(|_| constraint.contype() != ConstrType::ConstrNotnull) {
            self.indexed.insert((table.name.clone(), first.to_owned()));
        }
        if constraint.contype() == ConstrType::ConstrNotnull {
            if let Some(column) = first {
                let check = Check {
                    columns: vec![],
                    not_null: Some(column.to_owned()),
                    valid: !constraint.skip_validation,
                };
                self.checks.insert(key, check);
            }
        } else if constraint.contype() == ConstrType::ConstrCheck {
            let tree = constraint.raw_expr.as_ref().map_or(Tree::Nothing, Tree::of);
            let mut columns = Vec::new();
            tree.walk(&mut |part| {
                if part.kind() == "ColumnRef" {
                    columns.push(part.get("fields").qualified().name);
                }
                true
            });
            let check =
                Check { columns, not_null: proves_not_null(&tree), valid: !constraint.skip_validation };
            self.checks.insert(key, check);
        }
    }

    fn alter(&mut self, table: &Name, command: &sql::ast::AlterTableCmd) {
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
            (AlterTableType::AtValidateConstraint, _) => {
                if let Some(check) = self.checks.get_mut(&key) {
                    check.valid = true;
                }
                self.validated.insert(key);
            }
            (AlterTableType::AtDropConstraint, _) => {
                self.checks.remove(&key);
            }
            _ => {}
        }
    }

    fn rename(&mut self, rename: &sql::ast::RenameStmt) {
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
}

/// The column of `c IS NOT NULL`, also as one operand of an AND.
fn proves_not_null(check: &Tree) -> Option<String> {
    match check.kind() {
        "NullTest" if check.get("nulltesttype").number() == sql::ast::NullTestType::IsNotNull as i64 => {
            Some(check.get("arg").get("fields").qualified().name)
        }
        "BoolExpr" if check.get("boolop").number() == sql::ast::BoolExprType::AndExpr as i64 => {
            check.get("args").list().iter().find_map(proves_not_null)
        }
        _ => None,
    }
}
