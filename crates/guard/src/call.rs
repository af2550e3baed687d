//! The routines that running a statement calls.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::name::Name;
use crate::tree::Tree;
use crate::write;

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The routine as it is written.
    pub(crate) name: Name,
    /// Its arguments that are string constants.
    pub(crate) texts: Vec<String>,
    /// Whether it is a `CALL`.
    pub(crate) procedure: bool,
    /// Whether any argument reads a table.
    pub(crate) reads: bool,
}

/// The routines of PostgreSQL itself (12 to 18), one a line.
const BUILTIN: &str = include_str!("builtin.txt");

/// Words in a routine's name that say it changes rows.
const WRITES: [&str; 46] = [
    "backfill",
    "migrate",
    "migration",
    "populate",
    "update",
    "insert",
    "delete",
    "purge",
    "fill",
    "refill",
    "recalc",
    "recalculate",
    "recompute",
    "rebuild",
    "sync",
    "resync",
    "copy",
    "move",
    "merge",
    "archive",
    "cleanup",
    "clean",
    "fix",
    "repair",
    "import",
    "seed",
    "convert",
    "dedupe",
    "deduplicate",
    "denormalize",
    "reset",
    "truncate",
    "upsert",
    "anonymize",
    "process",
    "exec",
    "execute",
    "run",
    "apply",
    "write",
    "remove",
    "load",
    "transfer",
    "dml",
    "heal",
    "scrub",
];

impl Call {
    /// What a trigger makes of its routine.
    pub(crate) fn trigger(name: Name) -> Self {
        Self { name, texts: Vec::new(), procedure: false, reads: false }
    }

    /// Whether PostgreSQL itself has a routine of the name.
    pub(crate) fn is_builtin(&self) -> bool {
        static NAMES: OnceLock<HashSet<&'static str>> = OnceLock::new();
        let names = NAMES.get_or_init(|| BUILTIN.lines().collect());
        self.name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
            && names.contains(self.name.name.as_str())
    }

    /// A routine of PostgreSQL that changes rows of its own catalogs: large objects.
    pub(crate) fn is_builtin_write(&self) -> bool {
        const LARGE: [&str; 11] = [
            "lo_create",
            "lo_creat",
            "lo_import",
            "lo_unlink",
            "lo_put",
            "lo_from_bytea",
            "lo_truncate",
            "lo_truncate64",
            "lowrite",
            "lo_open",
            "pg_replication_origin_create",
        ];
        self.is_builtin() && LARGE.contains(&self.name.name.as_str())
    }

    /// Whether the name says that the routine changes rows.
    pub(crate) fn sounds_like_a_write(&self) -> bool {
        self.name.name.to_lowercase().split('_').any(|word| WRITES.contains(&word))
    }

    /// A routine of an extension that keeps a text to run it later.
    pub(crate) fn only_schedules(&self) -> bool {
        self.name.schema.as_deref() == Some("cron") || self.name.name.starts_with("schedule")
    }
}

/// Every call that running a statement makes, arguments' calls included.
pub(crate) fn of(statement: &Tree) -> Vec<Call> {
    let mut calls = Vec::new();
    statement.walk(&mut |tree| {
        if write::only_defines(tree) || tree.kind() == "CreateStmt" || sets_a_default(tree) {
            return false;
        }
        match tree.kind() {
            "CallStmt" => calls.extend(one(tree.get("funccall"), true)),
            "FuncCall" if !calls.last().is_some_and(|call: &Call| call.procedure && call.is_same(tree)) => {
                calls.extend(one(tree, false));
            }
            _ => {}
        }
        true
    });
    calls
}

impl Call {
    fn is_same(&self, tree: &Tree) -> bool {
        tree.get("funcname").qualified() == self.name
    }
}

/// `ALTER COLUMN .. SET DEFAULT` stores its expression and does not run it.
fn sets_a_default(tree: &Tree) -> bool {
    tree.kind() == "AlterTableCmd"
        && tree.get("subtype").number() == sql::ast::AlterTableType::AtColumnDefault as i64
}

fn one(tree: &Tree, procedure: bool) -> Option<Call> {
    let name = tree.get("funcname").qualified();
    let arguments = tree.get("args");
    let texts = arguments.list().iter().filter_map(|each| each.string().map(str::to_owned)).collect();
    let reads = arguments.list().iter().any(|each| each.any(|part| part.kind() == "RangeVar"));
    (!name.name.is_empty()).then_some(Call { name, texts, procedure, reads })
}
