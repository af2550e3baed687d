//! What `indexes/*.sql` says: the indexes that should be there, and those that should be no more.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use postgres::ServerError;
use sql::{Problem, Source};

use crate::settings::{OnDrift, Settings};

/// `CREATE [UNIQUE] INDEX name ON table ...`: an index that should exist.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The index's name; it lives in its table's schema.
    pub name: String,
    /// The table's schema as it is written; `None` leaves it to the search path.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// Whether it is a UNIQUE index.
    pub unique: bool,
    /// The whole statement as it is written.
    pub definition: String,
    /// SHA-256 of the statement without its comments and blanks, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the same without the index's name: equal for the same index under two names.
    pub(crate) likeness: String,
    /// Whether an index that is not there at the end is a gate.
    pub required: bool,
    /// What is done about another index of the name; the stage's setting where the file does not say.
    pub on_drift: Option<OnDrift>,
    /// The backfill that must be complete before it is built.
    pub after_backfill: Option<String>,
    /// How long the index may take inside a deploy.
    pub timeout: Option<Duration>,
    /// The file.
    pub source: Arc<Source>,
    /// The statement's bytes in the file.
    pub span: Range<usize>,
    /// The byte of the file behind the table's name: from there on the statement is sent as it is written.
    pub(crate) tail: usize,
    /// Neither a predicate nor an expression: the builds of such indexes do not wait for each other.
    pub(crate) plain: bool,
    /// The columns of a plain B-tree index, with those it includes; what such an index needs can be estimated.
    pub(crate) columns: Option<Vec<String>>,
    /// `TABLESPACE`, where it is written.
    pub(crate) tablespace: Option<String>,
    /// Not declared by itself: one that takes the place of another, or a partition's part of one.
    pub(crate) derived: bool,
}

/// `DROP INDEX name;`: an index that should no longer exist.
#[derive(Debug, Clone)]
pub struct Tombstone {
    /// The index's name.
    pub name: String,
    /// Its schema as it is written; `None` leaves it to the search path.
    pub schema: Option<String>,
    /// The file.
    pub source: Arc<Source>,
    /// The statement's bytes in the file.
    pub span: Range<usize>,
}

/// Everything the stage's files declare, in the order of the files.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    /// The indexes that should exist.
    pub indexes: Vec<Declaration>,
    /// The indexes that should not.
    pub tombstones: Vec<Tombstone>,
}

impl Declarations {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty() && self.tombstones.is_empty()
    }

    /// Declared indexes and tombstones.
    pub fn len(&self) -> usize {
        self.indexes.len() + self.tombstones.len()
    }
}

impl Declaration {
    /// The same index under another name, for a step of ours.
    pub(crate) fn named(&self, name: String) -> Self {
        Self {
            name,
            on_drift: Some(OnDrift::Warn),
            timeout: None,
            after_backfill: None,
            derived: true,
            ..self.clone()
        }
    }

    /// The same index on a partition.
    pub(crate) fn on_partition(&self, name: String, schema: &str, table: &str) -> Self {
        Self { schema: Some(schema.to_owned()), table: table.to_owned(), ..self.named(name) }
    }

    /// Whether another index of its name gives it its place.
    pub(crate) fn replaces(&self, settings: &Settings) -> bool {
        self.on_drift.unwrap_or(settings.on_drift) == OnDrift::Replace
    }

    /// What the server is sent to have the index on `relation`, which is a quoted name.
    pub(crate) fn statement(&self, relation: &str, concurrently: bool) -> Statement<'_> {
        let unique = if self.unique { "UNIQUE " } else { "" };
        let concurrently = if concurrently { "CONCURRENTLY " } else { "" };
        let name = sql::identifier(&self.name);
        let head = format!("CREATE {unique}INDEX {concurrently}{name} ON {relation}");
        Statement { declaration: self, head }
    }

    /// Where the declaration is, such as `indexes/leads.sql:3:1`.
    pub fn place(&self) -> String {
        place(&self.source, self.span.start)
    }
}

/// A declaration as it is sent: a head of ours, then the file's own text from behind the table's name.
pub(crate) struct Statement<'d> {
    declaration: &'d Declaration,
    head: String,
}

impl Statement<'_> {
    pub(crate) fn text(&self) -> String {
        let Declaration { source, tail, span, .. } = self.declaration;
        format!("{}{}", self.head, &source.text[*tail..span.end])
    }

    /// What the server said about the statement, at its place in the file.
    pub(crate) fn problem(&self, report: &ServerError) -> Problem {
        let Declaration { source, tail, span, .. } = self.declaration;
        let head = self.head.chars().count();
        let message = match &report.detail {
            Some(detail) => format!("{report}: {detail}"),
            None => report.to_string(),
        };
        let problem = match report.position.filter(|position| *position > head) {
            Some(position) => Problem::at_character(crate::WARNING, source, *tail, position - head, message),
            None => Problem::at(crate::WARNING, source, first_line(source, span), message),
        };
        match &report.hint {
            Some(hint) => problem.help(hint),
            None => problem,
        }
    }
}

impl Tombstone {
    /// Where the tombstone is, such as `indexes/leads.sql:3:1`.
    pub fn place(&self) -> String {
        place(&self.source, self.span.start)
    }
}

fn place(source: &Source, offset: usize) -> String {
    let place = sql::place(&source.text, offset);
    format!("{}:{}:{}", source.path.display(), place.line, place.column)
}

/// The part of a span that a caret can underline.
pub(crate) fn first_line(source: &Source, span: &Range<usize>) -> Range<usize> {
    span.start..span.start + source.text[span.clone()].lines().next().map_or(0, str::len)
}
