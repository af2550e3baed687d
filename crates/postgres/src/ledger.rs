//! The ledger's tables: created and brought up to date under the run lock, a component at a time.

use std::collections::HashMap;

use sqlx::Row;

use crate::error::Error;
use crate::lock::RunLock;
use crate::query::query;
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
    let row = query("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(sql::qualified(schema, "ledger"))
        .fetch_one(session.connection())
        .await?;
    Ok(row.try_get(0)?)
}

/// Creates what is missing of `needed` and refuses what is newer; `others` are only brought up to date where they are there.
/// The lock is the proof that nobody else does the same: `CREATE .. IF NOT EXISTS` races between sessions.
pub async fn bootstrap(
    _lock: &RunLock,
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
    session.run("BEGIN").await?;
    let upgraded = upgrade(session, schema, tool_version, &found, &components).await;
    session.run(if upgraded.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    upgraded
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

/// The tables that a ledger of these components must have and has not: somebody has dropped or renamed them.
pub async fn missing_tables(
    session: &mut Session,
    schema: &str,
    components: &[Component],
) -> Result<Vec<String>, Error> {
    let found = versions(session, &sql::identifier(schema)).await?;
    let tables: Vec<String> = components
        .iter()
        .flat_map(|component| {
            let steps = found.get(component.name).map_or(0, |version| usize::try_from(*version).unwrap_or(0));
            component.steps.iter().take(steps).flat_map(|step| tables_of(step))
        })
        .map(|table| sql::qualified(schema, table))
        .collect();
    let rows =
        query("SELECT name FROM unnest($1::text[]) AS t(name) WHERE pg_catalog.to_regclass(name) IS NULL")
            .bind(tables)
            .fetch_all(session.connection())
            .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The tables that a step creates.
fn tables_of(step: &str) -> impl Iterator<Item = &str> {
    let after = step.split("CREATE TABLE {schema}.").skip(1);
    after.filter_map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next())
}

/// Refuses a ledger that a newer pgdeploy has written. A missing ledger is fine.
pub async fn check_version(
    session: &mut Session,
    schema: &str,
    components: &[Component],
) -> Result<(), Error> {
    if !exists(session, schema).await? {
        return Ok(());
    }
    check(&versions(session, &sql::identifier(schema)).await?, components)
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
    let rows = session.all(&format!("SELECT component, version FROM {quoted}.ledger")).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn upgrade(
    session: &mut Session,
    schema: &str,
    tool_version: &str,
    found: &HashMap<String, i32>,
    components: &[Component],
) -> Result<(), Error> {
    let quoted = sql::identifier(schema);
    let present = query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(session.connection())
        .await?;
    if present.is_none() {
        session.run(&format!("CREATE SCHEMA {quoted}")).await?;
    }
    session
        .run(&format!(
            "CREATE TABLE IF NOT EXISTS {quoted}.ledger (component text PRIMARY KEY, version int NOT NULL, \
             tool_version text NOT NULL, upgraded_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        ))
        .await?;
    for component in components {
        let from = found.get(component.name).copied().unwrap_or(0);
        for step in component.steps.iter().skip(usize::try_from(from).unwrap_or(0)) {
            session.run(&step.replace("{schema}", &quoted)).await?;
        }
        query(&format!(
            "INSERT INTO {quoted}.ledger (component, version, tool_version) VALUES ($1, $2, $3) ON CONFLICT (component) \
             DO UPDATE SET version = excluded.version, tool_version = excluded.tool_version, upgraded_at = clock_timestamp()"
        ))
        .bind(component.name)
        .bind(component.version())
        .bind(tool_version)
        .execute(session.connection())
        .await?;
    }
    Ok(())
}
