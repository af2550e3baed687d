//! A definition looked up in the catalog: the relation that it means, or why it cannot run.

use postgres::{Error, Row, Session, query};
use sql::Problem;

use crate::definition::Definition;
use crate::header::at_key;
use crate::key;
use crate::relation::{DETAILS, Division, Relation, described};
use crate::side_effects;
use crate::tenant;
use crate::window;

/// Errors that a pending migration may put right: undefined table, column, function, type, schema; no right.
const MISSING: [&str; 6] = ["42P01", "42703", "42883", "42704", "3F000", "42501"];

/// What the catalog says about a definition.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// It can run.
    Ready(Relation),
    /// Something is missing that a migration may still create or grant.
    Waiting(Problem),
    /// It can never run as it is.
    Refused(Problem),
}

/// Looks a definition up in the catalog and has the server check its statement without running it.
pub(crate) async fn look_up(session: &mut Session, definition: &Definition) -> Result<Lookup, Error> {
    let name = match &definition.schema {
        Some(schema) => sql::qualified(schema, &definition.table),
        None => sql::identifier(&definition.table),
    };
    let found = query(&format!("{DETAILS} WHERE c.oid = pg_catalog.to_regclass($1)"))
        .bind(name)
        .fetch_optional(session.connection())
        .await?;
    let shown = definition.shown_table();
    let Some(row) = found else {
        let problem = definition.problem("E255", format!("there is no table {shown} (42P01)"));
        return Ok(Lookup::Waiting(
            problem.help("create it in a migration, or correct the name or search_path"),
        ));
    };
    let (oid, kind, parent): (i64, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(5)?);
    if let Some(problem) = unfit_kind(definition, &kind, parent) {
        return Ok(Lookup::Refused(problem));
    }
    let named = &definition.header.key;
    let keys = if named.is_empty() {
        key::primary(session, oid).await?
    } else {
        key::named(session, oid, named).await?
    };
    if keys.is_empty() && !named.is_empty() {
        let message =
            format!("{shown} has no unique index on ({}) with columns that are NOT NULL", named.join(", "));
        return Ok(Lookup::Refused(at_key(&definition.source, "key", "E251", message).help(
            "name columns that are unique together and NOT NULL, or leave `key` out for the primary key",
        )));
    }
    if keys.is_empty() {
        return Ok(Lookup::Refused(
            definition
                .problem("E251", format!("{shown} has no primary key: its rows cannot be told apart"))
                .help(format!("add one in a migration: ALTER TABLE {shown} ADD PRIMARY KEY ..")),
        ));
    }
    if let Some(key) = keys.iter().find(|key| definition.assigned.contains(&key.column)) {
        return Ok(Lookup::Refused(
            definition
                .problem(
                    "E252",
                    format!("assigns to {}, a column of the primary key that is walked", key.column),
                )
                .help("a row that moves along the key could be met twice: change keys in a migration"),
        ));
    }
    if let Some(window) = &definition.header.window
        && !window::is_known(session, window).await?
    {
        let message = format!("the server knows no time zone {}", window.zone);
        let problem = at_key(&definition.source, "window", "E258", message);
        return Ok(Lookup::Refused(problem.help("write one of pg_timezone_names, such as Europe/Paris")));
    }
    if let Some(problem) = explain(session, definition).await? {
        return Ok(problem);
    }
    if let Some(problem) = side_effects::look(session, definition).await? {
        return Ok(Lookup::Refused(problem));
    }
    let partitioned = kind == "p";
    if partitioned && let Some(problem) = unfit_partitions(session, definition, oid).await? {
        return Ok(Lookup::Refused(problem));
    }
    if definition.is_once() && !matches!(keys.as_slice(), [key] if key.is_integer()) {
        let message = "`mode: once` on a key that is no single integer";
        return Ok(Lookup::Refused(at_key(&definition.source, "mode", "E254", message).help(
            "for other keys nobody can tell the rows that come in mid-run from those that were there: write a WHERE that \
             becomes false, with a column that says done, and leave `mode` out",
        )));
    }
    let mut relation = described(session, &row, keys).await?;
    if let Some(tenant) = definition.tenant() {
        let Some(known) = tenant::look_up(session, oid, tenant).await? else {
            let message = format!("{shown} has no column {tenant}, the tenant (42703)");
            let problem = at_key(&definition.source, "tenant", "E255", message);
            return Ok(Lookup::Waiting(problem.help("correct `tenant` in the header")));
        };
        relation.tenants = known.distinct;
        if known.indexed && !partitioned {
            relation.division = Division::Tenants(tenant.to_owned(), known.type_name);
        }
    }
    if partitioned {
        relation.division = Division::Partitions;
    }
    Ok(Lookup::Ready(relation))
}

fn unfit_kind(definition: &Definition, kind: &str, parent: bool) -> Option<Problem> {
    let shown = definition.shown_table();
    let (code, what, help) = match kind {
        "r" | "p" if !parent => return None,
        "v" => ("E250", "a view", "name the table behind it: rows are locked and counted there"),
        "m" => ("E250", "a materialized view", "refresh it instead"),
        "f" => ("E250", "a foreign table", "run the change where the rows live"),
        "r" => {
            ("E253", "a table with child tables", "name one table; walking its children is not supported yet")
        }
        _ => ("E250", "not a table", "name a table"),
    };
    Some(definition.problem(code, format!("{shown} is {what}")).help(help))
}

/// What a partitioned table may not have: partitions that are no tables. (What tells them apart is part of every key.)
async fn unfit_partitions(
    session: &mut Session,
    definition: &Definition,
    oid: i64,
) -> Result<Option<Problem>, Error> {
    let shown = definition.shown_table();
    let row = query(
        "SELECT min(t.relid::regclass::text) FROM pg_catalog.pg_partition_tree($1::int8::oid) t \
         JOIN pg_catalog.pg_class c ON c.oid = t.relid WHERE t.isleaf AND c.relkind NOT IN ('r', 'p')",
    )
    .bind(oid)
    .fetch_one(session.connection())
    .await?;
    let foreign: Option<String> = row.try_get(0)?;
    Ok(foreign.map(|partition| {
        let message = format!("{partition}, a partition of {shown}, is a foreign table");
        definition
            .problem("E253", message)
            .help("run the change where its rows live, and name the other partitions one by one")
    }))
}

/// EXPLAIN plans a statement and checks rights without running it, in a read-only transaction too. An error has its
/// position in the user's file.
pub(crate) async fn explain(session: &mut Session, definition: &Definition) -> Result<Option<Lookup>, Error> {
    const EXPLAIN: &str = "EXPLAIN ";
    let text = format!("{EXPLAIN}{}", &definition.source.text[definition.span.clone()]);
    let error = match session.run(&text).await {
        Ok(_) => return Ok(None),
        Err(error) if error.is_lost_connection() => return Err(error),
        Err(error) => error,
    };
    let Some(report) = error.server() else { return Err(error) };
    let mut problem = match report
        .position
        .and_then(|nth| nth.checked_sub(EXPLAIN.len()))
        .filter(|nth| *nth > 0)
    {
        Some(nth) => {
            Problem::at_character("E255", &definition.source, definition.span.start, nth, report.to_string())
        }
        None => definition.problem("E255", report.to_string()),
    };
    problem.help = report.hint.clone();
    if report.code == "42501" && is_hidden(session, &text).await? {
        let help = "a policy of row-level security would hide rows from this role, and what is hidden would be called done: \
                    run it as the table's owner, or ALTER ROLE .. BYPASSRLS";
        problem.help = Some(help.to_owned());
    }
    let missing = MISSING.contains(&report.code.as_str());
    Ok(Some(if missing { Lookup::Waiting(problem) } else { Lookup::Refused(problem) }))
}

/// Whether a policy is all that stands in the way of a statement, in a session where that is an error.
async fn is_hidden(session: &mut Session, text: &str) -> Result<bool, Error> {
    let row = session.one("SELECT pg_catalog.current_setting('row_security')::bool").await?;
    if row.try_get(0)? {
        return Ok(false);
    }
    session.run("SET row_security = on").await?;
    let may = session.run(text).await.is_ok();
    session.run("SET row_security = off").await?;
    Ok(may)
}
