//! One file with a part for each direction, told apart by comments: dbmate and goose.

use std::ops::Range;

use sql::{Problem, Source};

/// A line that the tool reads.
pub(crate) struct Mark<'s> {
    /// What follows the tool's prefix.
    pub(crate) words: &'s str,
    /// The line, with its end.
    pub(crate) line: Range<usize>,
}

/// The lines that start with a prefix such as `-- migrate:`.
pub(crate) fn marks<'s>(source: &'s Source, prefix: &str) -> Vec<Mark<'s>> {
    let mut at = 0;
    let mut marks = Vec::new();
    for line in source.text.split_inclusive('\n') {
        if let Some(words) = line
            .trim_start()
            .strip_prefix("--")
            .map(str::trim_start)
            .and_then(|line| line.strip_prefix(prefix))
        {
            marks.push(Mark { words: words.trim(), line: at..at + line.len() });
        }
        at += line.len();
    }
    marks
}

/// What stands below a mark, up to the next of `ends`.
pub(crate) fn below(source: &Source, mark: &Mark<'_>, ends: &[&Mark<'_>]) -> Range<usize> {
    let end = ends.iter().map(|end| end.line.start).filter(|start| *start >= mark.line.end).min();
    mark.line.end..end.unwrap_or(source.text.len())
}

/// A mark that is not as the tool wants it.
pub(crate) fn malformed(source: &Source, mark: Option<&Mark<'_>>, message: &str) -> Problem {
    let span = mark.map_or(0..0, |mark| mark.line.start..mark.line.end.saturating_sub(1));
    match mark {
        Some(_) => Problem::at("E706", source, span, message),
        None => Problem::with_file("E706", &source.path, message),
    }
}
