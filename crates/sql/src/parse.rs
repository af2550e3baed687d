//! Text to statements, by the server's own grammar (libpg_query).

use std::ops::Range;

use pg_query::{Node, NodeEnum};

use crate::blanks::skip_blanks;
use crate::error_position;
use crate::problem::Problem;
use crate::source::Source;

/// The parser recurses once per level of nesting: 2 MiB of stack end the process at 500 nested subselects.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// What cannot nest deeper than any thread's stack: a level takes two bytes at least. A thread for it would take longer
/// than the work.
const SMALL_BYTES: usize = 512;

/// One statement of a file.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its bytes in the source, from the first token to the last, without the semicolon.
    pub span: Range<usize>,
    /// Its syntax tree.
    pub node: NodeEnum,
}

/// The statements of a source, handed to `judge` on the thread that has the stack to walk and drop deep trees. A
/// syntax error is a [`Problem`] with a caret at the token.
pub fn parse<T: Send>(source: &Source, judge: impl FnOnce(Vec<Statement>) -> T + Send) -> Result<T, Problem> {
    let work = || {
        let parsed = pg_query::parse(&source.text, 0).map_err(|error| syntax_problem(source, &error))?;
        let statements = parsed.protobuf.stmts.into_iter().filter_map(|raw| {
            let start = raw.stmt_location as usize;
            // The grammar leaves the length of a last statement without a semicolon at 0.
            let end = if raw.stmt_len == 0 { source.text.len() } else { start + raw.stmt_len as usize };
            let node = raw.stmt?.node?;
            Some(Statement { span: trimmed(&source.text, start..end), node })
        });
        Ok(judge(statements.collect()))
    };
    if source.text.len() <= SMALL_BYTES {
        return work();
    }
    on_a_large_stack(work).unwrap_or_else(|| {
        Err(Problem::with_file("E220", &source.path, "cannot be parsed: the parser gave up"))
    })
}

/// The tree of an expression we composed ourselves, such as `t.id > $1`; `None` where it does not parse.
pub fn parse_expression(text: &str) -> Option<Node> {
    let parsed = pg_query::parse(&format!("SELECT {text}"), 0).ok()?;
    let NodeEnum::SelectStmt(select) = parsed.protobuf.stmts.into_iter().next()?.stmt?.node? else {
        return None;
    };
    let NodeEnum::ResTarget(target) = select.target_list.into_iter().next()?.node? else { return None };
    target.val.map(|node| *node)
}

/// Runs on a thread of its own; `None` if that thread could not be had or panicked.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok()?;
        thread.join().ok()
    })
}

fn syntax_problem(source: &Source, error: &pg_query::Error) -> Problem {
    let message = match error {
        pg_query::Error::Parse(message) => message.clone(),
        other => other.to_string(),
    };
    let problem = match error_position::of(&source.text) {
        Some(nth) => Problem::at_character("E220", source, 0, nth, message),
        None => Problem { span: None, ..Problem::at("E220", source, 0..0, message) },
    };
    let start = problem.span.as_ref().map_or(0, |span| span.start);
    if source.text.get(start..).is_some_and(|rest| rest.starts_with('\\')) {
        return problem.help("psql's backslash commands are not SQL: write what they would have sent");
    }
    problem
}

/// Leaves out the blanks and comments before a statement and the blanks behind it.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let start = skip_blanks(&text[..span.end], span.start);
    start..start + text[start..span.end].trim_end().len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn spans(text: &str) -> Result<Vec<String>, Problem> {
        let source = Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        parse(&source, |statements| {
            statements.into_iter().map(|each| source.text[each.span].to_owned()).collect()
        })
    }

    #[test]
    fn statements_have_exact_spans() {
        let text = "-- a\nselect 1 ; /* b /* c */ */ select ';'\n;\n\n-- end\nselect $$;$$ -- tail\n";
        assert_eq!(spans(text).unwrap(), ["select 1", "select ';'", "select $$;$$ -- tail"]);
        assert!(spans("-- nothing\n;;\n").unwrap().is_empty());
    }

    #[test]
    fn a_syntax_error_has_its_place_also_behind_other_than_ascii() {
        let problem = spans("select 'ééé';\n alter tabel x;").unwrap_err();
        assert_eq!(problem.to_string(), "E220 m/1_x.sql:2:8: syntax error at or near \"tabel\"");
        assert!(spans("\\d leads\n").unwrap_err().help.is_some_and(|help| help.contains("psql")));
        assert_eq!(spans("select 'abc").unwrap_err().place().map(|place| place.column), Some(8));
    }

    /// A thread has 2 MiB: half of that has to do.
    #[test]
    fn the_deepest_small_text_needs_no_large_stack() {
        let deepest = [
            "(select ",
            "(",
            "- ",
            "not ",
            "array[",
            "f(",
            "case when ",
            "+",
            "a||",
            "a and(",
            "row(",
            "a.",
            "select(with a as(",
        ];
        let work = move || {
            for level in deepest {
                let _ = spans(&format!("select {}", level.repeat((SMALL_BYTES - 7) / level.len())));
                let closed = format!(
                    "select {}1{}",
                    level.repeat(SMALL_BYTES / (level.len() + 2)),
                    match level {
                        "array[" => "]".repeat(SMALL_BYTES / (level.len() + 2)),
                        _ if level.contains('(') => ")".repeat(SMALL_BYTES / (level.len() + 2)),
                        _ => String::new(),
                    }
                );
                let _ = spans(&closed);
            }
        };
        std::thread::Builder::new().stack_size(1024 * 1024).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn deep_nesting_neither_aborts_nor_hangs() {
        let nested = format!("select {}1{}", "(select ".repeat(500), ")".repeat(500));
        assert_eq!(spans(&nested).unwrap().len(), 1);
        let operands = format!("select {}", vec!["'a'"; 300].join("||"));
        assert_eq!(spans(&operands).unwrap().len(), 1);
        let hopeless = format!("select {}1", "(".repeat(200_000));
        assert!(spans(&hopeless).is_err());
    }
}
