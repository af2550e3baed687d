//! The ledger's tables: created and brought up to date under the run lock, a component at a time.

use std::collections::HashMap;

use sqlx::Row;

use crate::error::Error;
use crate::lock::RunLock;
use crate::session::Session;

/// The tables that one crate owns. `steps[n]` takes them from version `n` to `n + 1`; `{schema}` stands for the quoted
/// ledger schema. Steps are never edited once released.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Such as `schema` or `backfill`.
    pub name: &'static str,
    /// One text of SQL each.
    pub steps: &'static [&'static str],
}

impl Component {
    fn version(&self) -> i32 {
        i32::try_from(self.steps.len()).unwrap_or(i32::MAX)
    }
}

/// Whether the ledger exists in a database; without it there is no history of ours.
pub async fn exists(session: &mut Session, schema: &str) -> Result<bool, Error> {
    table_exists(session, schema, "ledger").await
}

/// Whether one of its tables does.
pub async fn table_exists(session: &mut Session, schema: &str, table: &str) -> Result<bool, Error> {
    let name = sql::literal(&sql::qualified(schema, table));
    Ok(session.answer(&format!("SELECT 1 WHERE pg_catalog.to_regclass({name}) IS NOT NULL")).await?.is_some())
}

/// Creates what is missing of `needed` and refuses what is newer; `others` are only brought up to date where they are there.
/// The lock is the proof that nobody else does the same: `CREATE .. IF NOT EXISTS` races between sessions. What a runner that
/// was killed has left at work on the server is waited for; where it still came in, that is found.
pub async fn bootstrap(
    _lock: &RunLock,
    session: &mut Session,
    schema: &str,
    tool_version: &str,
    needed: &[Component],
    others: &[Component],
) -> Result<(), Error> {
    let made = make(session, schema, tool_version, needed, others).await;
    match &made {
        Err(error) if error.sqlstate().is_some_and(|code| IS_THERE.contains(&code)) => {
            make(session, schema, tool_version, needed, others).await
        }
        _ => made,
    }
}

/// The schema, a table or its row has come in since it was looked for: duplicate_schema, duplicate_table, unique_violation.
const IS_THERE: [&str; 3] = ["42P06", "42P07", "23505"];

async fn make(
    session: &mut Session,
    schema: &str,
    tool_version: &str,
    needed: &[Component],
    others: &[Component],
) -> Result<(), Error> {
    let quoted = sql::identifier(schema);
    let found =
        if exists(session, schema).await? { versions(session, &quoted).await? } else { HashMap::new() };
    let is_needed = |name| needed.iter().any(|component| component.name == name);
    let others = others.iter().filter(|other| found.contains_key(other.name) && !is_needed(other.name));
    let components: Vec<Component> = needed.iter().chain(others).copied().collect();
    check(&found, &components)?;
    if components.iter().all(|component| found.get(component.name) == Some(&component.version())) {
        return Ok(());
    }
    let present = format!("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {}", sql::literal(schema));
    let is_present = session.answer(&present).await?.is_some();
    let made = session.run(&upgrade(&quoted, is_present, tool_version, &found, &components)).await;
    // A call of its own: the server rolls back what a runner has begun that is killed before it.
    let ended = session.run(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    made.and(ended).map(drop)
}

/// Whether all of these tables are there, in this version.
pub async fn is_current(
    session: &mut Session,
    schema: &str,
    components: &[Component],
) -> Result<bool, Error> {
    if !exists(session, schema).await? {
        return Ok(false);
    }
    let found = versions(session, &sql::identifier(schema)).await?;
    check(&found, components)?;
    Ok(components.iter().all(|component| found.get(component.name) == Some(&component.version())))
}

/// Looks whether it is a ledger that can be worked with: the tables that one of these components must have and has not,
/// because somebody has dropped or renamed them; `None` where there is no ledger at all.
///
/// # Errors
/// A newer pgdeploy has written it.
pub async fn missing_tables(
    session: &mut Session,
    schema: &str,
    components: &[Component],
) -> Result<Option<Vec<String>>, Error> {
    if !exists(session, schema).await? {
        return Ok(None);
    }
    let found = versions(session, &sql::identifier(schema)).await?;
    check(&found, components)?;
    let tables: Vec<String> = components
        .iter()
        .flat_map(|component| {
            let steps = found.get(component.name).map_or(0, |version| usize::try_from(*version).unwrap_or(0));
            component.steps.iter().take(steps).flat_map(|step| tables_of(step))
        })
        .map(|table| sql::literal(&sql::qualified(schema, table)))
        .collect();
    let text = format!(
        "SELECT name FROM pg_catalog.unnest(ARRAY[{}]::text[]) AS t(name) WHERE pg_catalog.to_regclass(name) IS NULL",
        tables.join(", ")
    );
    let missing = session.answers(&text).await?;
    Ok(Some(missing.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?))
}

/// The tables that a step creates.
fn tables_of(step: &str) -> impl Iterator<Item = &str> {
    let after = step.split("CREATE TABLE {schema}.").skip(1);
    after.filter_map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next())
}

fn check(found: &HashMap<String, i32>, components: &[Component]) -> Result<(), Error> {
    for component in components {
        match found.get(component.name) {
            Some(found) if *found > component.version() => {
                let (component, known) = (component.name.to_owned(), component.version());
                return Err(Error::NewerLedger { component, found: *found, known });
            }
            _ => {}
        }
    }
    Ok(())
}

async fn versions(session: &mut Session, quoted: &str) -> Result<HashMap<String, i32>, Error> {
    let rows = session.answers(&format!("SELECT component, version FROM {quoted}.ledger")).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The transaction, up to its COMMIT, that makes the tables or takes them on from where they are.
fn upgrade(
    quoted: &str,
    is_present: bool,
    tool_version: &str,
    found: &HashMap<String, i32>,
    components: &[Component],
) -> String {
    let mut all = vec!["BEGIN".to_owned()];
    if !is_present {
        all.push(format!("CREATE SCHEMA {quoted}"));
    }
    all.push(format!(
        "CREATE TABLE IF NOT EXISTS {quoted}.ledger (component text PRIMARY KEY, version int NOT NULL, \
         tool_version text NOT NULL, upgraded_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    ));
    for component in components {
        let from = found.get(component.name).copied().unwrap_or(0);
        let steps = component.steps.iter().skip(usize::try_from(from).unwrap_or(0));
        all.extend(steps.map(|step| step.replace("{schema}", quoted)));
        all.push(format!(
            "INSERT INTO {quoted}.ledger (component, version, tool_version) VALUES ({}, {}, {}) ON CONFLICT (component) \
             DO UPDATE SET version = excluded.version, tool_version = excluded.tool_version, upgraded_at = clock_timestamp()",
            sql::literal(component.name),
            component.version(),
            sql::literal(tool_version)
        ));
    }
    all.join(";\n")
}
