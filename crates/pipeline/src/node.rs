//! The YAML as a tree of nodes that know their bytes. Duplicate keys, anchors, tags and a second document end here.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::code;
use crate::problem::{Problem, line};
use crate::text::Document;

/// Deeper than any pipeline goes; bounds the recursion over the tree.
const MAX_DEPTH: usize = 32;

/// More entries than a pipeline has in one mapping or list; bounds the work on a hostile file.
const MAX_ENTRIES: usize = 500;

/// A value in the file.
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) content: Content,
}

/// What a node holds.
pub(crate) enum Content {
    /// `plain` means without quotes, so that `5` and `"5"` can be told apart.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value; keys of a mapping are unique.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

/// The root of the document. Duplicate keys are added to `problems`; what makes the rest unreadable is the error.
pub(crate) fn tree(
    text: &str,
    document: &Document,
    problems: &mut Vec<Problem>,
) -> Result<Node, Box<Problem>> {
    let mut offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    offsets.push(text.len());
    let mut builder = Builder { parser: Parser::new_from_str(text), text, offsets, document, problems };
    builder.document()
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
    /// The byte offset of each character: the parser counts characters.
    offsets: Vec<usize>,
    document: &'a Document,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Box<Problem>> {
        let nothing = || {
            self.document
                .problem(code::NOT_ONE_MAPPING, 0..0, "is empty")
                .help("the smallest pipeline has version, name and environments; `pgdeploy init` writes one")
        };
        let nothing = nothing();
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Err(Box::new(nothing)),
                (event, span) => break self.node(event, span, 0)?,
            }
        };
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(_), span) => {
                    let message = "holds a second document: one file is one pipeline";
                    return Err(Box::new(self.document.problem(code::NOT_ONE_MAPPING, span, message)));
                }
                _ => {}
            }
        }
        match &root.content {
            Content::Mapping(_) => Ok(root),
            Content::Scalar { text, plain: true } if text.is_empty() => Err(Box::new(nothing)),
            _ => {
                let message =
                    "is not a mapping: expected `version`, `name` and `environments` with their values";
                Err(Box::new(self.document.problem(
                    code::NOT_ONE_MAPPING,
                    self.first_line(root.span),
                    message,
                )))
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Result<Node, Box<Problem>> {
        let (anchor, tag) = match &event {
            Event::Alias(id) => (*id, None),
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.as_ref()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.as_ref()),
            _ => (0, None),
        };
        if anchor != 0 || tag.is_some() {
            let what = if tag.is_some() { "tags (`!`)" } else { "anchors and aliases (`&`, `*`)" };
            let message = format!("{what} are not part of the format");
            let problem = self.document.problem(code::ANCHOR, span, message);
            return Err(Box::new(
                problem.help("write the value where it is used; quote text that starts with & * or !"),
            ));
        }
        if depth > MAX_DEPTH {
            return Err(Box::new(self.document.problem(code::SYNTAX, span, "is nested too deeply")));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                Ok(Node { span, content: Content::Scalar { text: text.into_owned(), plain } })
            }
            Event::SequenceStart(..) => self.list(span, depth),
            Event::MappingStart(..) => self.mapping(span, depth),
            _ => Err(Box::new(self.document.problem(code::SYNTAX, span, "expected a value"))),
        }
    }

    fn list(&mut self, span: Range<usize>, depth: usize) -> Result<Node, Box<Problem>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = self.trimmed(span.start..end.end);
                    return Ok(Node { span, content: Content::List(items) });
                }
                (_, at) if items.len() == MAX_ENTRIES => return Err(self.too_many(at)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, span: Range<usize>, depth: usize) -> Result<Node, Box<Problem>> {
        let mut entries: Vec<Entry> = Vec::new();
        for nth in 0.. {
            let (event, key_span) = self.next()?;
            if event == Event::MappingEnd {
                let span = self.trimmed(span.start..key_span.end);
                return Ok(Node { span, content: Content::Mapping(entries) });
            }
            if nth == MAX_ENTRIES {
                return Err(self.too_many(key_span));
            }
            let Content::Scalar { text: key, .. } = self.node(event, key_span.clone(), depth + 1)?.content
            else {
                return Err(Box::new(self.document.problem(
                    code::WRONG_TYPE,
                    key_span,
                    "a key must be text",
                )));
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let at = line(&self.document.text, first.key_span.start);
                    let message = format!("`{key}` is written twice; the first is on line {at}");
                    let problem = self.document.problem(code::DUPLICATE_KEY, key_span, message);
                    self.problems.push(problem.help("keep one of the two"));
                }
                None => entries.push(Entry { key, key_span, value }),
            }
        }
        Err(self.too_many(span))
    }

    fn too_many(&self, at: Range<usize>) -> Box<Problem> {
        let message = format!("more than {MAX_ENTRIES} entries in one mapping or list");
        Box::new(self.document.problem(code::SYNTAX, at, message))
    }

    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Box<Problem>> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, end }))) => {
                let span = self.byte(start)..self.byte(end);
                let span = if matches!(event, Event::Scalar(..)) { self.trimmed(span) } else { span };
                Ok((event, span))
            }
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let at = self.byte(*error.marker());
        let problem = self.document.problem(code::SYNTAX, at..at, format!("is not YAML: {}", error.info()));
        if self.text[at..].starts_with('\t') || error.info().contains("tab") {
            return problem.help("indent with spaces: YAML allows no tabs");
        }
        problem
    }

    fn byte(&self, marker: Marker) -> usize {
        self.offsets.get(marker.index()).copied().unwrap_or(self.text.len())
    }

    /// Without the white space and comments that the parser counts to the end of what precedes them.
    fn trimmed(&self, span: Range<usize>) -> Range<usize> {
        let end = span.end.max(span.start);
        span.start..span.start + self.text[span.start..end].trim_end().len()
    }

    fn first_line(&self, span: Range<usize>) -> Range<usize> {
        let length = self.text[span.clone()].find('\n').unwrap_or(span.len());
        span.start..span.start + length
    }
}
