//! What the target's catalog says, as far as rules use it. `plan` and `deploy` have it; `check` never needs it.

use std::collections::{BTreeMap, BTreeSet};

use sql::NodeEnum;

use crate::name::Name;

/// What the target's catalog says about what the files name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Names that were looked for, see [`names`]: one that was looked for and is no table is absent.
    pub asked: BTreeSet<String>,
    /// Tables, partitioned tables and materialized views.
    pub tables: BTreeMap<Name, TableFacts>,
    /// Domains with a CHECK or NOT NULL.
    pub constrained_domains: BTreeSet<String>,
    /// Definitions of functions and procedures, as `pg_get_functiondef` prints them.
    pub routines: Vec<String>,
    /// Whether the deploy's sessions have a TimeZone without offsets.
    pub utc: bool,
}

/// One table of the catalog.
#[derive(Debug, Clone, Default)]
pub struct TableFacts {
    /// `reltuples`: the planner's estimate of its rows; `None` before the first ANALYZE.
    pub estimated_rows: Option<u64>,
    /// Its size now, that of its partitions included.
    pub bytes: Option<u64>,
    /// Whether it is partitioned.
    pub partitioned: bool,
    /// Columns that are NOT NULL.
    pub not_null: BTreeSet<String>,
    /// The types of columns as `format_type` prints them, such as `character varying(20)`.
    pub types: BTreeMap<String, String>,
    /// Constraints by their names.
    pub constraints: BTreeMap<String, ConstraintFacts>,
    /// The columns of valid indexes, by the indexes' names; empty for one over expressions.
    pub indexes: BTreeMap<String, Vec<String>>,
}

/// One constraint.
#[derive(Debug, Clone, Default)]
pub struct ConstraintFacts {
    /// As `pg_get_constraintdef` prints it, such as `CHECK ((age > 0)) NOT VALID`.
    pub definition: String,
    /// `convalidated`.
    pub valid: bool,
}

impl Catalog {
    /// What is known of a table; nothing where several may be meant.
    pub fn table(&self, name: &Name) -> Option<&TableFacts> {
        if let Some(facts) = self.tables.get(name) {
            return Some(facts);
        }
        let mut same = self.tables.iter().filter(|(known, _)| known.same(name));
        match (same.next(), same.next()) {
            (Some((_, facts)), None) => Some(facts),
            _ => None,
        }
    }

    /// Whether the target has no such table.
    pub fn lacks(&self, name: &Name) -> bool {
        self.asked.contains(&name.name) && !self.tables.keys().any(|known| known.same(name))
    }
}

impl TableFacts {
    /// `about 12,000,000 rows, 1.4 GiB`.
    pub fn size(&self) -> Option<String> {
        let rows = self.estimated_rows.map(|rows| format!("about {} rows", grouped(rows)));
        let bytes = self.bytes.map(|bytes| match bytes {
            0..1_048_576 => format!("{} KiB", bytes / 1024),
            1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
            _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        });
        let parts: Vec<String> = [rows, bytes].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl ConstraintFacts {
    /// The constraint as the grammar gives it.
    pub(crate) fn parse(&self) -> Option<sql::ast::Constraint> {
        let text = format!("ALTER TABLE t ADD {}", self.definition);
        let node = pg_query::parse(&text, 0).ok()?.protobuf.stmts.into_iter().next()?.stmt?.node?;
        let NodeEnum::AlterTableStmt(alter) = node else { return None };
        let NodeEnum::AlterTableCmd(command) = alter.cmds.into_iter().next()?.node? else { return None };
        match command.def?.node? {
            NodeEnum::Constraint(constraint) => Some(*constraint),
            _ => None,
        }
    }
}

/// Every word of a text that may be a name, as it is written and in lower case: what a catalog is asked for.
pub fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
    words
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        .flat_map(|word| [word.to_owned(), word.to_lowercase()])
        .collect()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_sizes_read_well() {
        let name = |schema: &str| Name { schema: Some(schema.into()), name: "t".into() };
        let facts =
            |rows| TableFacts { estimated_rows: Some(rows), bytes: Some(3 << 30), ..Default::default() };
        let mut catalog = Catalog { tables: [(name("a"), facts(1_234_567))].into(), ..Catalog::default() };
        assert_eq!(
            catalog.table(&Name::plain("t")).and_then(TableFacts::size).unwrap(),
            "about 1,234,567 rows, 3.0 GiB"
        );
        catalog.tables.insert(name("b"), facts(2));
        assert!(catalog.table(&Name::plain("t")).is_none(), "either may be meant");
        assert_eq!(catalog.table(&name("b")).unwrap().estimated_rows, Some(2));
        assert!(!catalog.lacks(&Name::plain("u")), "nobody asked");
        catalog.asked.insert("u".into());
        assert!(catalog.lacks(&Name::plain("u")) && !catalog.lacks(&Name::plain("t")));
    }
}
