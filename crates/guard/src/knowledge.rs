//! What is known about the target beside the text of the files.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::Name;

/// What the judge may take for granted. `Knowledge::default()` is what `check` has: nothing but the text.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The server's major version, such as 16; `None` where no server was asked: then a remedy is only trusted where
    /// every supported version (12 and later) has it.
    pub server_version: Option<u32>,
    /// Tables that this deploy creates before the judged file runs: nobody uses them yet.
    pub new_tables: BTreeSet<Name>,
    /// Whether all files that this judge is fed are one deploy, so that a table of an earlier file is new as well.
    pub one_deploy: bool,
    /// The most rows that an accepted literal `INSERT .. VALUES` into an existing table may have.
    pub max_seed_rows: usize,
    /// What the target's catalog says; `None` in `check`.
    pub catalog: Option<Catalog>,
}

/// What the target's catalog says about tables, as far as rules use it.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Known tables; one that is not listed here counts as unknown, not as missing.
    pub tables: BTreeMap<Name, TableFacts>,
}

/// One table of the catalog.
#[derive(Debug, Clone, Default)]
pub struct TableFacts {
    /// `reltuples`: the planner's estimate of its rows; `None` before the first ANALYZE.
    pub estimated_rows: Option<u64>,
    /// Columns that a valid constraint proves to hold no NULL.
    pub not_null: BTreeSet<String>,
    /// The types of columns as `format_type` prints them, such as `character varying(20)`.
    pub types: BTreeMap<String, String>,
}

impl Default for Knowledge {
    fn default() -> Self {
        Self {
            server_version: None,
            new_tables: BTreeSet::new(),
            one_deploy: false,
            max_seed_rows: 100,
            catalog: None,
        }
    }
}

impl Knowledge {
    /// What the catalog says about a table.
    pub fn table(&self, name: &Name) -> Option<&TableFacts> {
        let tables = &self.catalog.as_ref()?.tables;
        tables.get(name).or_else(|| tables.iter().find(|(known, _)| known.same(name)).map(|(_, facts)| facts))
    }

    /// Whether the server is known to be of this major version or later.
    pub fn at_least(&self, major: u32) -> bool {
        self.server_version.is_some_and(|version| version >= major)
    }
}
