//! What a tool's history says, row by row.

use serde_json::{Map, Value};

/// How a migration ended, by the tool's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in.
    Applied,
    /// It was begun and did not end well.
    Failed,
    /// It was taken back.
    Undone,
}

/// What the history says of one migration. A later record of the same migration replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The tool's own name for it.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Of the text that was applied, where the tool keeps one.
    pub checksum: Option<String>,
    /// When it was begun, as the server would read it.
    pub started_at: Option<String>,
    /// When it was applied.
    pub applied_at: Option<String>,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// What the tool noted of a failure.
    pub note: Option<String>,
}

impl Record {
    /// It is in, and nothing more is known.
    pub(crate) fn of(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            outcome: Outcome::Applied,
            checksum: None,
            started_at: None,
            applied_at: None,
            duration_ms: None,
            note: None,
        }
    }
}

/// A row of the tool's table, as `to_jsonb` gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'r>(pub(crate) &'r Map<String, Value>);

impl Row<'_> {
    /// A value as text; `None` for NULL or no such column.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        match self.0.get(column)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn number(&self, column: &str) -> Option<i64> {
        self.0.get(column)?.as_i64()
    }

    pub(crate) fn truth(&self, column: &str) -> Option<bool> {
        self.0.get(column)?.as_bool()
    }

    /// The hexadecimal digits of a `bytea`.
    pub(crate) fn bytes(&self, column: &str) -> Option<String> {
        self.text(column).map(|text| text.trim_start_matches("\\x").to_owned())
    }
}
