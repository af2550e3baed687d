//! The tool's history table in a database.

use std::path::Path;

use postgres::{Error, Row, Session, query};
use serde_json::{Map, Value};
use sql::Problem;

use crate::manifest::Manifest;
use crate::tool::Tool;

/// The rows of the history, and where they were found.
#[derive(Debug, Clone)]
pub struct Table {
    /// `public._sqlx_migrations`, quoted where it needs to be.
    pub name: String,
    /// Its rows, oldest first.
    pub rows: Vec<Map<String, Value>>,
}

/// Why a history cannot be had.
#[derive(Debug)]
pub enum Unreadable {
    /// There is none, or there are several.
    Problem(Problem),
    /// The exchange with the server failed.
    Session(Error),
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Unreadable::Session(error)
    }
}

/// Finds the table and reads it. `named` is its name where it is not the tool's usual one.
pub async fn read(session: &mut Session, tool: Tool, named: Option<&str>) -> Result<Table, Unreadable> {
    let found = candidates(session, tool, named).await?;
    let name = match &found[..] {
        [one] => one.clone(),
        [] => return Err(Unreadable::Problem(missing(tool, named))),
        several => {
            let message = format!("there are several of them: {}", several.join(", "));
            let problem = Problem::with_file("E716", Path::new(tool.table().name), message);
            return Err(Unreadable::Problem(problem.help("say which: --history-table SCHEMA.TABLE")));
        }
    };
    let text = format!("SELECT pg_catalog.to_jsonb(t) FROM {name} t ORDER BY t.{}", tool.table().order);
    let rows = session.all(&text).await?;
    let rows = rows.iter().map(|row| match row.try_get::<Value, _>(0) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(Error::from(error)),
    });
    Ok(Table { name, rows: rows.collect::<Result<_, _>>()? })
}

/// The same, with what the manifest says.
pub async fn of(session: &mut Session, manifest: &Manifest) -> Result<Table, Unreadable> {
    read(session, manifest.tool, manifest.table.as_deref()).await
}

/// Tables of the right name with the right columns.
async fn candidates(session: &mut Session, tool: Tool, named: Option<&str>) -> Result<Vec<String>, Error> {
    let table = tool.table();
    let rows = query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(a.attname::text) AS names FROM pg_catalog.pg_attribute a \
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) columns \
         WHERE c.relkind IN ('r', 'p') \
           AND CASE WHEN $2::text IS NULL THEN c.relname = $1 ELSE c.oid = pg_catalog.to_regclass($2) END \
           AND $3::text[] <@ columns.names AND NOT $4::text[] && columns.names \
         ORDER BY 1",
    )
    .bind(table.name)
    .bind(named)
    .bind(table.columns)
    .bind(table.without)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn missing(tool: Tool, named: Option<&str>) -> Problem {
    let name = named.unwrap_or(tool.table().name);
    let message = format!("there is no such table with the columns of {}", tool.name());
    Problem::with_file("E716", Path::new(name), message)
        .help("see that this is the right database; another name is given with --history-table SCHEMA.TABLE")
}
