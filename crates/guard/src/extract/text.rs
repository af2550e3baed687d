//! Cutting statements out of a text, together with what belongs to them.

use sql::NodeEnum;
use sql::ast::IndexStmt;

use super::Span;

/// The comment lines right above a statement, without those that open the file or talk to pgdeploy.
pub(super) fn comment_above(text: &str, span: &Span) -> String {
    text[comment_start(text, span.start)..line_start(text, span.start)].to_owned()
}

/// A statement with its comment, its semicolon and, where it has the lines for itself, their ends.
pub(super) fn with_surroundings(text: &str, span: &Span) -> Span {
    let alone = text[line_start(text, span.start)..span.start].trim().is_empty();
    let start = if alone { comment_start(text, span.start) } else { span.start };
    let mut end = sql::skip_blanks(text, span.end);
    end = if text[end..].starts_with(';') { end + 1 } else { span.end };
    let rest = &text[end..];
    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let blank = rest[..line].trim();
    if alone && (blank.is_empty() || blank.starts_with("--")) {
        end += line;
        // One blank line goes with the statement, so that two do not meet.
        let next = text[end..].find('\n').map_or(0, |at| at + 1);
        if next > 0 && text[end..end + next].trim().is_empty() {
            end += next;
        }
    }
    start..end
}

/// The text without these spans, which are in order.
pub(super) fn without(text: &str, gone: &[Span]) -> String {
    let (mut rest, mut at) = (String::new(), 0);
    for span in gone {
        rest.push_str(&text[at..span.start.max(at)]);
        at = span.end.max(at);
    }
    rest.push_str(&text[at..]);
    format!("{}\n", rest.trim_end())
}

/// The name that PostgreSQL would give an index, nearly.
pub(super) fn index_name(table: &str, index: &IndexStmt) -> String {
    let columns: Vec<&str> = index
        .index_params
        .iter()
        .filter_map(|node| match &node.node {
            Some(NodeEnum::IndexElem(element)) if element.name.is_empty() => Some("expr"),
            Some(NodeEnum::IndexElem(element)) => Some(element.name.as_str()),
            _ => None,
        })
        .collect();
    let mut name = format!("{table}_{}_idx", columns.join("_"));
    while name.len() > 63 {
        name.pop();
    }
    name
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn comment_start(text: &str, at: usize) -> usize {
    let own = line_start(text, at);
    let mut start = own;
    while start > 0 {
        let before = line_start(text, start - 1);
        let line = text[before..start].trim();
        if !line.starts_with("--") || line.starts_with("-- pgdeploy") {
            return start;
        }
        start = before;
    }
    // What opens the file is about the file.
    if start == 0 { own } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_goes_with_its_comment_and_its_line() {
        let text = "-- file\nselect 1;\n\n-- why\nupdate t set a = 1; -- now\n\nselect 2;\n";
        let at = text.find("update").unwrap();
        let span = at..at + "update t set a = 1".len();
        assert_eq!(comment_above(text, &span), "-- why\n");
        assert_eq!(without(text, &[with_surroundings(text, &span)]), "-- file\nselect 1;\n\nselect 2;\n");
        let one = "select 1; delete from t; select 2";
        assert_eq!(without(one, &[with_surroundings(one, &(10..23))]), "select 1;  select 2\n");
    }
}
