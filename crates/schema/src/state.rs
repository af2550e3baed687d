//! What kind of database this is, where it has no history of ours.

use postgres::{Error, Row, Session, query};
use serde::Serialize;

/// A database without history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No object of anybody's: everything runs.
    Fresh,
    /// It has a history of ours.
    Managed,
    /// Objects, but nothing says which migrations made them.
    Unmanaged {
        /// How many tables, views, sequences and the like.
        objects: i64,
        /// One of them.
        example: String,
    },
    /// Another tool keeps a history here.
    Foreign {
        /// Its name.
        tool: String,
        /// The table it keeps it in.
        table: String,
    },
}

/// The tables in which other tools keep their history.
const TOOLS: [(&str, &str); 12] = [
    ("alembic_version", "Alembic"),
    ("_prisma_migrations", "Prisma"),
    ("flyway_schema_history", "Flyway"),
    ("_sqlx_migrations", "sqlx"),
    ("django_migrations", "Django"),
    ("schema_migrations", "Rails, dbmate or golang-migrate"),
    ("goose_db_version", "goose"),
    ("databasechangelog", "Liquibase"),
    ("refinery_schema_history", "refinery"),
    ("atlas_schema_revisions", "Atlas"),
    ("__diesel_schema_migrations", "Diesel"),
    ("knex_migrations", "Knex"),
];

/// Looks at the catalog. What belongs to an extension, to the system, to our ledger or to another pipeline's does not
/// count.
pub(crate) async fn of(session: &mut Session, ledger: &str) -> Result<State, Error> {
    let (tables, tools): (Vec<&str>, Vec<&str>) = TOOLS.into_iter().unzip();
    let row = query(
        "WITH own AS (SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> $1 AND n.nspname <> 'information_schema' \
             AND n.nspname !~ '^pg_' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_class l JOIN pg_catalog.pg_attribute a ON a.attrelid = l.oid \
               WHERE l.relnamespace = n.oid AND l.relname = 'ledger' AND l.relkind = 'r' AND NOT a.attisdropped \
                 AND a.attname IN ('component', 'version', 'tool_version') HAVING pg_catalog.count(*) = 3) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')) \
         SELECT pg_catalog.count(*), pg_catalog.min(nspname || '.' || relname), \
           (SELECT o.nspname || '.' || o.relname FROM own o WHERE o.relname = ANY ($2) ORDER BY o.oid LIMIT 1), \
           (SELECT t.tool FROM own o JOIN unnest($2::text[], $3::text[]) AS t(tab, tool) ON t.tab = o.relname ORDER BY o.oid LIMIT 1) \
         FROM own",
    )
    .bind(ledger)
    .bind(tables)
    .bind(tools)
    .fetch_one(session.connection())
    .await?;
    let objects: i64 = row.try_get(0)?;
    let foreign: (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
    Ok(match foreign {
        (Some(table), Some(tool)) => State::Foreign { tool, table },
        _ if objects == 0 => State::Fresh,
        _ => State::Unmanaged { objects, example: row.try_get::<Option<String>, _>(1)?.unwrap_or_default() },
    })
}
