//! What the server said about a file, at its place in the file.

use std::ops::Range;
use std::time::Duration;

use postgres::{Class, Error, ScriptError};
use sql::{Problem, Source};

use crate::failure::Failure;
use crate::shape::Shape;

/// What is sent: a file, or one of its statements.
#[derive(Clone)]
pub(crate) struct Text<'a> {
    pub(crate) source: &'a Source,
    pub(crate) span: Range<usize>,
    pub(crate) statements: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn whole(source: &'a Source, shape: &Shape) -> Self {
        Self { source, span: 0..source.text.len(), statements: shape.statements }
    }

    /// One statement of a file.
    pub(crate) fn part(source: &'a Source, span: Range<usize>) -> Self {
        Self { source, span, statements: 1 }
    }

    pub(crate) fn sql(&self) -> &'a str {
        &self.source.text[self.span.clone()]
    }

    /// A problem at the position that the server gave, else at the statement that failed.
    pub(crate) fn at(&self, code: &'static str, failed: &ScriptError, message: impl Into<String>) -> Problem {
        if let Some(nth) = failed.error.server().and_then(|report| report.position) {
            return Problem::at_character(code, self.source, self.span.start, nth, message);
        }
        let statement = match self.span.start > 0 || self.span.end < self.source.text.len() {
            true => Some(self.span.clone()),
            false => failed.statement.and_then(|nth| nth_statement(self.source, nth)),
        };
        match statement {
            Some(span) => {
                let first_line = self.source.text[span.clone()].lines().next().map_or(0, str::len);
                Problem::at(code, self.source, span.start..span.start + first_line, message)
            }
            None => Problem::with_file(code, &self.source.path, message),
        }
    }
}

fn nth_statement(source: &Source, nth: usize) -> Option<Range<usize>> {
    let spans =
        sql::parse(source, |statements| statements.into_iter().map(|each| each.span).collect::<Vec<_>>());
    spans.ok()?.into_iter().nth(nth)
}

/// Who cancelled a statement that we did not: a person, or a statement_timeout. The server says so in words alone, which
/// in other languages than English leaves the time it took.
pub(crate) fn cancelled(
    text: &Text<'_>,
    failed: &ScriptError,
    took: Duration,
    statement_timeout: Duration,
) -> Failure {
    let said = failed.error.server().map_or("", |report| report.message.as_str());
    let is_limited = !statement_timeout.is_zero() && took >= statement_timeout;
    if said.contains("user request") || !(said.contains("statement timeout") || is_limited) {
        return Failure::Cancelled(text.at("E123", failed, "somebody cancelled this statement"));
    }
    let message = match is_limited {
        true => {
            let limit = humantime::format_duration(statement_timeout);
            format!("took longer than stages.schema.statement_timeout ({limit})")
        }
        false => "took longer than the statement_timeout that the file sets".to_owned(),
    };
    Failure::TooSlow(text.at("E124", failed, message))
}

/// The server's report as a problem of the file. An error that is not the server's word about the file stays one of the
/// session.
pub(crate) fn refusal(code: &'static str, text: &Text<'_>, failed: ScriptError) -> Failure {
    if failed.error.is_lost_connection() {
        return failed.error.into();
    }
    let Some(report) = failed.error.server() else { return failed.error.into() };
    let denied = failed.error.class() == Class::Permission;
    let mut problem = text.at(if denied { "E304" } else { code }, &failed, report.to_string());
    problem.help = report.hint.clone();
    let Error::Server(report) = failed.error else { return failed.error.into() };
    if denied { Failure::Denied(problem) } else { Failure::Refused { problem, report } }
}
