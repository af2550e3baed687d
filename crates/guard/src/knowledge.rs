//! What is known about the target beside the text of the files.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, TableFacts};
use crate::name::Name;

/// What the judge may take for granted. `Knowledge::default()` is what `check` has: nothing but the text.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The server's major version, such as 16; `None` where no server was asked: then a remedy is only trusted where
    /// every supported version (13 and later) has it.
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
        self.catalog.as_ref()?.table(name)
    }

    /// Whether the server is known to be older than a major version.
    pub fn before(&self, major: u32) -> bool {
        self.server_version.is_some_and(|version| version < major)
    }

    /// Whether the server is known to be of this major version or later.
    pub fn at_least(&self, major: u32) -> bool {
        self.server_version.is_some_and(|version| version >= major)
    }

    /// Whether nothing but the text is known. More knowledge only ever takes findings away, and an acceptance that the
    /// text alone needs is not stale because of it.
    pub(crate) fn is_text_alone(&self) -> bool {
        self.server_version.is_none()
            && self.catalog.is_none()
            && !self.one_deploy
            && self.new_tables.is_empty()
    }
}
