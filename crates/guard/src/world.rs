//! What the files so far have made: tables, routines, types, constraints.

mod learn;
mod routines;
mod tables;

use std::collections::{HashMap, HashSet};

use crate::call::Call;
use crate::column_type::ColumnType;
use crate::name::Name;
use crate::routine::Routine;
use crate::tree::Tree;
use crate::write::Write;

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
    /// Made by these files, and used since.
    pub(crate) in_use: Vec<Name>,
    pub(crate) routines: HashMap<String, Routine>,
    /// Routines that are declared IMMUTABLE or STABLE.
    pub(crate) stable: HashSet<String>,
    /// What reading a view calls.
    pub(crate) views: HashMap<String, Vec<Call>>,
    /// Operators and aggregates by the routine behind them.
    pub(crate) operators: HashMap<String, Name>,
    /// What a change of a table's rows calls: its triggers, defaults and checks.
    pub(crate) on_write: HashMap<String, Vec<Call>>,
    /// What rules add to a change of a table's rows.
    pub(crate) rules: HashMap<String, Vec<Write>>,
    /// What DDL calls: the routines of event triggers.
    pub(crate) on_ddl: Vec<Call>,
    /// Domains, and whether they have a constraint.
    pub(crate) domains: HashMap<String, bool>,
    pub(crate) types_here: HashSet<String>,
    /// Values added to enums that this file did not create.
    pub(crate) enum_values_here: Vec<String>,
    pub(crate) columns: HashMap<(String, String), ColumnType>,
    /// Columns that are NOT NULL.
    pub(crate) not_null: HashSet<(String, String)>,
    pub(crate) checks: HashMap<(String, String), Check>,
    /// Constraints that were dropped and not added again.
    pub(crate) dropped: HashSet<(String, String)>,
    /// Constraints that this file adds as NOT VALID.
    pub(crate) not_valid_here: HashSet<(String, String)>,
    /// Constraints that were validated, by this or an earlier file.
    pub(crate) validated: HashSet<(String, String)>,
    pub(crate) partitioned: HashSet<String>,
    /// Tables with a default partition.
    pub(crate) with_default_partition: HashSet<String>,
    pub(crate) indexed: HashSet<(String, String)>,
    /// The columns of indexes by their names.
    pub(crate) index_columns: HashMap<String, Vec<String>>,
}

impl World {
    /// Forgets what holds for one file only.
    pub(crate) fn next_file(&mut self) {
        self.new_before.append(&mut self.new_here);
        self.types_here.clear();
        self.enum_values_here.clear();
        self.not_valid_here.clear();
        // What an event trigger of an earlier file does is known to who wrote it.
        self.on_ddl.clear();
    }

    /// What the files so far have made is used from now on.
    pub(crate) fn served(&mut self) {
        self.in_use.append(&mut self.new_before);
        self.in_use.append(&mut self.new_here);
    }

    /// Whether this file created the relation.
    pub(crate) fn is_new_here(&self, name: &Name) -> bool {
        self.new_here.iter().any(|new| new.same(name))
    }
}

impl Check {
    /// Of a CHECK, or of a NOT NULL with a name (18).
    pub(crate) fn of(constraint: &sql::ast::Constraint) -> Option<Self> {
        use sql::ast::ConstrType::{ConstrCheck, ConstrNotnull};
        let valid = !constraint.skip_validation;
        match constraint.contype() {
            ConstrNotnull => {
                let column = constraint.keys.first().and_then(crate::name::word)?;
                Some(Self { columns: Vec::new(), not_null: Some(column.to_owned()), valid })
            }
            ConstrCheck => {
                let tree = constraint.raw_expr.as_ref().map_or(Tree::Nothing, Tree::of);
                let mut columns = Vec::new();
                tree.walk(&mut |part| {
                    if part.kind() == "ColumnRef" {
                        columns.push(part.get("fields").qualified().name);
                    }
                    true
                });
                Some(Self { columns, not_null: proves_not_null(&tree), valid })
            }
            _ => None,
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
