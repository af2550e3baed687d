//! One thing that is wrong with the pipeline, with the place to look at; and all of them as an error.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// More than anybody reads; bounds the work on a hostile file.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// Something wrong with pipeline.yaml or with what it refers to.
#[derive(Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, one of [`crate::code`].
    pub code: &'static str,
    /// What is wrong: one lowercase sentence without a full stop. It never quotes a secret.
    pub message: String,
    /// The file, as it was named.
    pub path: PathBuf,
    /// The text that `span` points into, with passwords in URLs overwritten by `*` (byte for byte, so that spans
    /// hold); empty where the file could not be read.
    pub text: Arc<str>,
    /// The bytes of `text` that are to blame.
    pub span: Option<Range<usize>>,
    /// What to write or type instead.
    pub help: Option<String>,
}

impl Problem {
    /// The line of the place, from 1.
    pub fn line(&self) -> Option<usize> {
        self.span.as_ref().map(|span| line(&self.text, span.start))
    }

    /// The character in the line, from 1.
    pub fn column(&self) -> Option<usize> {
        let before = &self.text[..boundary(&self.text, self.span.as_ref()?.start)];
        Some(before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The line of a byte offset, from 1.
pub(crate) fn line(text: &str, offset: usize) -> usize {
    text[..boundary(text, offset)].bytes().filter(|byte| *byte == b'\n').count() + 1
}

fn boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.code, self.path.display())?;
        if let (Some(line), Some(column)) = (self.line(), self.column()) {
            write!(out, ":{line}:{column}")?;
        }
        write!(out, ": {}", self.message)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Problem")
            .field("code", &self.code)
            .field("message", &self.message)
            .field("span", &self.span)
            .field("help", &self.help)
            .finish_non_exhaustive()
    }
}

/// Everything that is wrong, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Error {
    /// The problems, at least one.
    pub problems: Vec<Problem>,
}

impl Error {
    /// Puts the problems in the order of the file.
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        Self { problems }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}
