//! One thing that is wrong with a file, with the place to look at.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::place::{Place, offset_of_character, place};
use crate::source::Source;

/// Something wrong with a file of the release. Codes are stable; see docs/messages.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, such as `E212`.
    pub code: &'static str,
    /// What is wrong: one lowercase sentence without a full stop.
    pub message: String,
    /// The file, relative to the pipeline's directory.
    pub path: PathBuf,
    /// The text that `span` points into; empty where the file could not be read.
    pub text: Arc<str>,
    /// The bytes of `text` that are to blame.
    pub span: Option<Range<usize>>,
    /// What to write or type instead.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn with_file(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: path.into(), text: Arc::from(""), span: None, help: None }
    }

    /// A problem at a span of a source.
    pub fn at(code: &'static str, source: &Source, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: source.path.clone(),
            text: source.text.clone(),
            span: Some(span),
            help: None,
        }
    }

    /// A problem at a position that PostgreSQL reported: a character of `source`, counted from 1, plus `skipped`
    /// bytes that were not part of the string it was sent.
    pub fn at_character(
        code: &'static str,
        source: &Source,
        skipped: usize,
        nth: usize,
        message: impl Into<String>,
    ) -> Self {
        let start = skipped + offset_of_character(&source.text[skipped..], nth);
        Self::at(code, source, source.token_at(start), message)
    }

    /// Adds what to write or type instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column, where the place is known.
    pub fn place(&self) -> Option<Place> {
        self.span.as_ref().map(|span| place(&self.text, span.start))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.code, self.path.display())?;
        if let Some(Place { line, column }) = self.place() {
            write!(out, ":{line}:{column}")?;
        }
        write!(out, ": {}", self.message)
    }
}
