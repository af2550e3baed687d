//! The optional header of a file: a YAML mapping in a leading comment block that starts with `-- pgdeploy:`.

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::place::offset_of_character;
use crate::problem::Problem;
use crate::source::Source;

const OPENING: &str = "-- pgdeploy:";

/// Reads the header as `T`; `T::default()` where there is none. `T` refuses unknown keys by
/// `#[serde(deny_unknown_fields)]`. `not_yet` are keys that the documentation shows and this version does not know.
pub fn read<T: DeserializeOwned + Default>(source: &Source, not_yet: &[&str]) -> Result<T, Problem> {
    let Some(block) = find(&source.text) else { return Ok(T::default()) };
    if block.yaml.trim().is_empty() {
        return Ok(T::default());
    }
    for (key, span) in block.keys(&source.text) {
        if not_yet.contains(&key) {
            return Err(Problem::at(
                "E216",
                source,
                span,
                format!("header key `{key}` is not supported yet"),
            ));
        }
    }
    serde_yaml::from_str(&block.yaml).map_err(|error| {
        let span = error
            .location()
            .map_or(block.span.clone(), |at| block.token(&source.text, at.line(), at.column()));
        Problem::at("E215", source, span, format!("header: {}", without_location(&error)))
    })
}

/// The header block of a text.
struct Block {
    /// The comment's content with the dashes removed.
    yaml: String,
    /// Where each line of `yaml` starts in the file.
    starts: Vec<usize>,
    /// The whole block.
    span: Range<usize>,
}

impl Block {
    /// The top-level keys with their spans.
    fn keys<'t>(&self, text: &'t str) -> Vec<(&'t str, Range<usize>)> {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let top = self.yaml.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
        let mut keys = Vec::new();
        for (line, start) in self.yaml.lines().zip(&self.starts) {
            if let (true, Some(colon)) = (indent(line) == top, line.find(':')) {
                let span = start + top..start + colon;
                keys.push((&text[span.clone()], span));
            }
        }
        keys
    }

    /// The span of the token at a line and column (from 1, in characters) of the YAML.
    fn token(&self, text: &str, line: usize, column: usize) -> Range<usize> {
        let line = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.span.start);
        let start = line + offset_of_character(&text[line..], column.max(1));
        let rest = &text[start..];
        let first = rest.chars().next().map_or(0, char::len_utf8);
        start..start + rest.find([':', '\n', ',', ']']).unwrap_or(first).max(first)
    }
}

/// The message of a YAML error without the position, which we show in our own way.
fn without_location(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Finds the block among the comments that open the file.
fn find(text: &str) -> Option<Block> {
    let mut offset = 0;
    let mut block: Option<Block> = None;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end();
        let start = offset;
        offset += line.len();
        match &mut block {
            None if trimmed == OPENING => {
                block = Some(Block {
                    yaml: String::new(),
                    starts: Vec::new(),
                    span: start..start + trimmed.len(),
                });
            }
            None if trimmed.is_empty() || trimmed.starts_with("--") => {}
            None => return None,
            Some(found) => {
                let Some(content) = trimmed.strip_prefix("--").filter(|rest| rest.starts_with("  ")) else {
                    break;
                };
                found.yaml.push_str(content);
                found.yaml.push('\n');
                found.starts.push(start + 2);
                found.span.end = start + trimmed.len();
            }
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Header {
        tenant: Option<String>,
        priority: Option<String>,
    }

    fn header(text: &str) -> Result<Header, Problem> {
        read(&Source::from_bytes(Path::new("b/1_x.sql"), text.into()).unwrap(), &["window"])
    }

    #[test]
    fn the_block_ends_where_the_indentation_does() {
        let found =
            header("-- About.\n-- pgdeploy:\n--   tenant: tenant_id\n-- More: words.\nselect 1;").unwrap();
        assert_eq!(found.tenant.as_deref(), Some("tenant_id"));
        assert_eq!(header("select 1;\n-- pgdeploy:\n--   tenant: x\n").unwrap(), Header::default());
        assert_eq!(header("-- pgdeploy:\nselect 1;").unwrap(), Header::default());
    }

    #[test]
    fn a_wrong_key_is_pointed_at_in_the_file() {
        let problem = header("-- pgdeploy:\n--   tenant: a\n--   tennant: b\nselect 1;").unwrap_err();
        assert_eq!(problem.place().map(|place| (place.line, place.column)), Some((3, 6)), "{problem}");
        assert_eq!(header("-- pgdeploy:\n--   window: b\n").unwrap_err().code, "E216");
        // Columns of YAML are characters, spans are bytes.
        for text in ["-- pgdeploy:\n--   tenant: [*äöü]\n", "-- pgdeploy:\n--   tenant: [*dropӦ0?"] {
            let span = header(text).unwrap_err().span.unwrap();
            assert!(text.get(span.clone()).is_some(), "{span:?}");
        }
    }
}
