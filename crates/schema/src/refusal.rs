//! What the server said about a file, at its place in the file.

use postgres::{Error, ScriptError};
use sql::{Problem, Source};

use crate::failure::Failure;

/// The server's report as a problem of the file: at the position it gave, else at the statement that failed. An error
/// that is not the server's word about the file stays one of the session.
pub(crate) fn refusal(code: &'static str, source: &Source, failed: ScriptError) -> Failure {
    let ScriptError { statement, error } = failed;
    if error.is_lost_connection() {
        return error.into();
    }
    let Error::Server(report) = error else { return error.into() };
    let mut problem = at(code, source, statement, report.position, report.to_string());
    problem.help = report.hint.clone().or_else(|| report.detail.clone());
    Failure::Refused { problem, report }
}

/// A problem at a position of the text that was sent, or at the first line of the nth statement.
pub(crate) fn at(
    code: &'static str,
    source: &Source,
    statement: Option<usize>,
    position: Option<usize>,
    message: String,
) -> Problem {
    if let Some(nth) = position {
        return Problem::at_character(code, source, 0, nth, message);
    }
    let spans =
        sql::parse(source, |statements| statements.into_iter().map(|each| each.span).collect::<Vec<_>>());
    match (spans, statement) {
        (Ok(spans), Some(nth)) if nth < spans.len() => {
            let span = &spans[nth];
            let first_line = source.text[span.clone()].lines().next().map_or(0, str::len);
            Problem::at(code, source, span.start..span.start + first_line, message)
        }
        _ => Problem::with_file(code, &source.path, message),
    }
}
