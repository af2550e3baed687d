//! What a rule is, and what it finds.

use std::ops::Range;

use crate::look::Look;
use crate::name::Name;
use crate::severity::Severity;

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
    /// The tables that it is about, with their sizes shown where the catalog knows them.
    pub(crate) tables: Vec<Name>,
}

impl Found {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            severity: None,
            rewrite: None,
            span: None,
            acceptable: true,
            tables: Vec::new(),
        }
    }

    pub(crate) fn weighing(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// About a table: its size is shown where the catalog knows it.
    pub(crate) fn on(mut self, table: &Name) -> Self {
        self.tables.push(table.clone());
        self
    }

    pub(crate) fn rewrite(mut self, sql: impl Into<String>) -> Self {
        self.rewrite = Some(sql.into());
        self
    }
}
