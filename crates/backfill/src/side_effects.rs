//! Functions of the user's that do more than compute: a row that is tried twice would have their effects twice.

use postgres::{Error, Row, Session, query};
use sql::{NodeEnum, Problem};

use crate::definition::Definition;

/// Built-in functions with an effect that no rollback takes back, or that reaches beyond the row.
const BUILT_IN: [&str; 12] = [
    "setval",
    "set_config",
    "pg_notify",
    "dblink_exec",
    "dblink",
    "lo_import",
    "lo_unlink",
    "pg_advisory_lock",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_logical_emit_message",
    "query_to_xml",
];

/// Refuses a statement that calls a volatile function whose text writes.
pub(crate) async fn look(session: &mut Session, definition: &Definition) -> Result<Option<Problem>, Error> {
    let called = called(definition);
    if let Some((name, span)) = called.iter().find(|(name, _)| BUILT_IN.contains(&name.as_str())) {
        return Ok(Some(refused(definition, name, "has effects beyond the row", span.clone())));
    }
    let names: Vec<String> = called.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let rows = query(
        "SELECT DISTINCT p.proname::text, p.prosrc FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE p.proname = ANY ($1) AND p.provolatile = 'v' AND l.lanname IN ('sql', 'plpgsql') AND n.nspname <> 'pg_catalog'",
    )
    .bind(names)
    .fetch_all(session.connection())
    .await?;
    for row in rows {
        let (name, text): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(word) = writes(&text) {
            let span = called.iter().find(|(called, _)| *called == name).map(|(_, span)| span.clone());
            let what = format!("is volatile and writes ({word})");
            return Ok(Some(refused(definition, &name, &what, span.unwrap_or(definition.span.clone()))));
        }
    }
    Ok(None)
}

fn refused(definition: &Definition, name: &str, what: &str, span: std::ops::Range<usize>) -> Problem {
    Problem::at("E254", &definition.source, span, format!("{name}() {what}")).help(
        "a row that is met again after an error would have that effect twice: write what it does as a statement of its own, \
         in a backfill of its own",
    )
}

/// The functions that a statement calls, with their places.
fn called(definition: &Definition) -> Vec<(String, std::ops::Range<usize>)> {
    let source = &definition.source;
    sql::parse(source, |statements| {
        let Some(first) = statements.into_iter().next() else { return Vec::new() };
        let nodes = first.node.nodes();
        let calls = nodes.iter().filter_map(|(node, ..)| match node.to_enum() {
            NodeEnum::FuncCall(call) => {
                let NodeEnum::String(name) = call.funcname.last()?.node.as_ref()? else { return None };
                let span = usize::try_from(call.location).ok().map(|start| source.token_at(start))?;
                Some((name.sval.clone(), span))
            }
            _ => None,
        });
        calls.collect()
    })
    .unwrap_or_default()
}

/// The first word of a function's text that changes something.
fn writes(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 8] = ["insert", "update", "delete", "merge", "truncate", "execute", "copy", "notify"];
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter_map(|word| WORDS.into_iter().find(|one| *one == word)).next()
}

#[cfg(test)]
mod tests {
    use super::writes;

    #[test]
    fn writing_words_are_found_as_words() {
        assert_eq!(writes("BEGIN INSERT INTO log VALUES (1); RETURN 1; END"), Some("insert"));
        assert_eq!(writes("SELECT updated_at, delete_flag FROM x"), None);
    }
}
