//! Problems with their place: the line, a caret, and what to write instead.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::render::Style;

/// A problem with a file, whoever found it.
pub(crate) struct Diagnostic<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    pub(crate) path: String,
    pub(crate) text: &'a str,
    pub(crate) span: Option<Range<usize>>,
    pub(crate) help: Option<&'a str>,
}

impl<'a> From<&'a sql::Problem> for Diagnostic<'a> {
    fn from(problem: &'a sql::Problem) -> Self {
        Self {
            code: problem.code,
            message: &problem.message,
            path: problem.path.display().to_string(),
            text: &problem.text,
            span: problem.span.clone(),
            help: problem.help.as_deref(),
        }
    }
}

/// Several problems, one below the other.
pub(crate) fn all<'a>(problems: impl IntoIterator<Item = impl Into<Diagnostic<'a>>>, style: Style) -> String {
    let rendered: Vec<_> = problems.into_iter().map(|problem| one(&problem.into(), style)).collect();
    rendered.join("\n\n")
}

fn one(problem: &Diagnostic<'_>, style: Style) -> String {
    let Some(span) = problem.span.clone().filter(|_| !problem.text.is_empty()) else {
        return without_place(problem, style);
    };
    let renderer = if style.colours { Renderer::styled() } else { Renderer::plain() };
    // A caret below nothing is not drawn: give it one character.
    let span = span.start..span.end.max((span.start + 1).min(problem.text.len()));
    let title = Level::ERROR.primary_title(problem.message).id(problem.code);
    let snippet =
        Snippet::source(problem.text).path(&problem.path).annotation(AnnotationKind::Primary.span(span));
    let mut group = title.element(snippet);
    if let Some(help) = problem.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn without_place(problem: &Diagnostic<'_>, style: Style) -> String {
    let head = style.bad(&format!("error[{}]", problem.code));
    let help = problem.help.map(|help| format!("\n  = help: {help}")).unwrap_or_default();
    format!("{head}: {} {}{help}", problem.path, problem.message)
}

impl<'a> From<&'a pipeline::Problem> for Diagnostic<'a> {
    fn from(problem: &'a pipeline::Problem) -> Self {
        Self {
            code: problem.code,
            message: &problem.message,
            path: problem.path.display().to_string(),
            text: &problem.text,
            span: problem.span.clone(),
            help: problem.help.as_deref(),
        }
    }
}
