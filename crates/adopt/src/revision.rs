//! A revision's Python file: the few assignments that make the graph, read as literals.

use std::ops::Range;
use std::path::PathBuf;

use sql::{Problem, Source};

/// A file of `versions/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    /// `down_revision` and `depends_on`.
    pub(crate) after: Vec<String>,
    /// `branch_labels`.
    pub(crate) labels: Vec<String>,
}

impl Revision {
    /// Reads a file; `None` where it is no revision. What is computed instead of written out is a problem.
    pub(crate) fn of(source: &Source) -> Result<Option<Self>, Vec<Problem>> {
        let Some(own) = assignment(source, "revision") else { return Ok(None) };
        let mut problems = Vec::new();
        let mut values = |name: &str| match assignment(source, name).map(|value| literals(source, value)) {
            None => Vec::new(),
            Some(Ok(found)) => found,
            Some(Err(span)) => {
                let message =
                    format!("`{name}` is computed: only a text, a list of texts or None can be read");
                problems.push(
                    Problem::at("E705", source, span, message)
                        .help("write the revision out in a copy of the project"),
                );
                Vec::new()
            }
        };
        let id = values("revision").pop();
        let after = [values("down_revision"), values("depends_on")].concat();
        let labels = values("branch_labels");
        if !problems.is_empty() {
            return Err(problems);
        }
        match id {
            Some(id) => Ok(Some(Self { id, path: source.path.clone(), after, labels })),
            None => Err(vec![Problem::at("E705", source, own, "`revision` holds no text")]),
        }
    }

    /// What the file's name says beside the revision and a date.
    pub(crate) fn name(&self) -> String {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        let name = stem.replace(&self.id, "");
        let name = name.trim_matches(|c: char| !c.is_alphabetic());
        if name.is_empty() { self.id.clone() } else { name.to_owned() }
    }
}

/// The value of `name = value` or `name: type = value` at the start of a line.
fn assignment(source: &Source, name: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(rest) = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', ':', '='])) else {
            continue;
        };
        let Some(equals) = rest.find('=') else { continue };
        let from = start + name.len() + equals + 1;
        return Some(from..end_of_value(&source.text, from));
    }
    None
}

/// The end of the line, or of the bracket that is open at it.
fn end_of_value(text: &str, from: usize) -> usize {
    let mut open = 0_i32;
    for (at, c) in text[from..].char_indices() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open -= 1,
            '\n' | '#' if open <= 0 => return from + at,
            _ => {}
        }
    }
    text.len()
}

/// The texts in a literal; the part that is none.
fn literals(source: &Source, value: Range<usize>) -> Result<Vec<String>, Range<usize>> {
    let (mut found, mut at) = (Vec::new(), value.start);
    while at < value.end {
        let rest = &source.text[at..value.end];
        let Some(c) = rest.chars().next() else { break };
        match c {
            '"' | '\'' => {
                let text = rest[1..].split(c).next().unwrap_or("");
                if rest.len() < text.len() + 2 || text.contains(['\\', '\n']) {
                    return Err(at..value.end);
                }
                found.push(text.to_owned());
                at += text.len() + 2;
            }
            '(' | ')' | '[' | ']' | '{' | '}' | ',' => at += 1,
            c if c.is_whitespace() => at += c.len_utf8(),
            _ if rest.starts_with("None") => at += 4,
            _ if rest.starts_with('#') => at += rest.find('\n').unwrap_or(rest.len()),
            _ => return Err(at..at + rest.trim_end().len()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Option<Revision>, Vec<Problem>> {
        Revision::of(
            &Source::from_bytes(Path::new("versions/2024_01_05_1015-ae10_add_x.py"), text.into()).unwrap(),
        )
    }

    #[test]
    fn assignments_are_read_in_the_forms_that_alembic_writes() {
        let text = "\"\"\"x\n\nRevision ID: ae10\n\"\"\"\nrevision: str = 'ae10'\ndown_revision: Union[str, Sequence[str], None] = (\n    \"a\",  # one\n    'b',\n)\nbranch_labels = ['core']\ndepends_on = None\n";
        let revision = read(text).unwrap().unwrap();
        assert_eq!((revision.id.as_str(), revision.name().as_str()), ("ae10", "add_x"));
        assert_eq!(
            (revision.after, revision.labels),
            (vec!["a".to_owned(), "b".into()], vec!["core".to_owned()])
        );
        assert!(read("import this\n").unwrap().is_none());
    }

    #[test]
    fn a_computed_revision_is_pointed_at() {
        let found = read("revision = 'a'\ndown_revision = PREVIOUS\n").unwrap_err();
        assert!(found[0].to_string().contains(":2:17"), "{}", found[0]);
    }
}
