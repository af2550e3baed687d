//! The table that is walked, as the catalog knows it: what only a database can tell about a definition.

use postgres::{Error, Row, Session, query};
use sql::Problem;

use crate::definition::Definition;

/// A table that can be walked.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Qualified and quoted.
    pub(crate) name: String,
    /// Its object identifier.
    pub(crate) oid: i64,
    /// Whether its rows live in the blocks of a heap that can be read span by span (Tid Range Scan, PostgreSQL 14).
    pub(crate) has_blocks: bool,
    /// Whether the key is an integer whose low bits are spread evenly over the rows of each block.
    pub(crate) counts: bool,
    /// The columns of the primary key, in its order.
    pub(crate) keys: Vec<Key>,
    /// Its size in pages.
    pub(crate) pages: i64,
    /// Its rows, by the density that ANALYZE or VACUUM saw; `None` where neither has been.
    pub(crate) rows: Option<f64>,
    /// Distinct values of the tenant column, as ANALYZE saw them.
    pub(crate) tenants: Option<i64>,
}

impl Relation {
    /// Rows in a block, where known.
    pub(crate) fn density(&self) -> Option<f64> {
        self.rows.filter(|_| self.pages > 0).map(|rows| rows / self.pages as f64)
    }
}

/// A column of the key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Unquoted.
    pub(crate) column: String,
    /// As `format_type` writes it, without a length: what a key's text is cast to.
    pub(crate) type_name: String,
}

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

/// Errors that a pending migration may put right: undefined table, column, function, type, schema; no right.
const MISSING: [&str; 6] = ["42P01", "42703", "42883", "42704", "3F000", "42501"];

/// Looks a definition up in the catalog and has the server check its statement without running it.
pub(crate) async fn look_up(session: &mut Session, definition: &Definition) -> Result<Lookup, Error> {
    let name = match &definition.schema {
        Some(schema) => sql::qualified(schema, &definition.table),
        None => sql::identifier(&definition.table),
    };
    let found = query(
        "SELECT c.oid::int8, c.relkind::text, n.nspname::text, c.relname::text, \
                CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::int8 ELSE 0 END, \
                EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid), \
                CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages END, \
                EXISTS (SELECT FROM pg_catalog.pg_am a WHERE a.oid = c.relam AND a.amname = 'heap') \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = pg_catalog.to_regclass($1)",
    )
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
    let keys = keys(session, oid).await?;
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
    if let Some(problem) = explain(session, definition).await? {
        return Ok(problem);
    }
    let (schema, table): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let tenants = match &definition.tenant {
        Some(tenant) => match tenants(session, oid, tenant).await? {
            Some(distinct) => distinct,
            None => {
                let problem =
                    definition.problem("E255", format!("{shown} has no column {tenant}, the tenant (42703)"));
                return Ok(Lookup::Waiting(problem.help("correct `tenant` in the header")));
            }
        },
        None => None,
    };
    let name = sql::qualified(&schema, &table);
    let (pages, density): (i64, Option<f64>) = (row.try_get(4)?, row.try_get(6)?);
    let rows = density.map(|density| density * pages as f64);
    let has_blocks = row.try_get::<bool, _>(7)? && session.version_number() >= 140_000;
    let counts = has_blocks && counts(session, &name, &keys).await?;
    Ok(Lookup::Ready(Relation { name, oid, has_blocks, counts, keys, pages, rows, tenants }))
}

/// Whether each residue of the key modulo 8 has its share of the rows of each block, by the first blocks.
async fn counts(session: &mut Session, name: &str, keys: &[Key]) -> Result<bool, Error> {
    let [key] = keys else { return Ok(false) };
    if !matches!(key.type_name.as_str(), "bigint" | "integer" | "smallint") {
        return Ok(false);
    }
    let column = sql::identifier(&key.column);
    let looked = session
        .one(&format!(
            "SELECT coalesce(bool_and(most <= rows / 8 + 2), false) FROM (SELECT sum(n)::int8 AS rows, max(n) AS most FROM \
               (SELECT (ctid::text::point)[0] AS block, count(*) AS n FROM {name} WHERE ctid < '(50,0)'::tid \
                GROUP BY 1, {column} & 7) AS residues GROUP BY block) AS blocks"
        ))
        .await;
    match looked {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error) if error.is_lost_connection() => Err(error),
        // Without the right to read it, EXPLAIN has said so.
        Err(_) => Ok(false),
    }
}

fn unfit_kind(definition: &Definition, kind: &str, parent: bool) -> Option<Problem> {
    let shown = definition.shown_table();
    let (code, what, help) = match kind {
        "r" if !parent => return None,
        "v" => ("E250", "a view", "name the table behind it: rows are locked and counted there"),
        "m" => ("E250", "a materialized view", "refresh it instead"),
        "f" => ("E250", "a foreign table", "run the change where the rows live"),
        "p" => ("E253", "a partitioned table", "name a partition; walking all of them is not supported yet"),
        "r" => {
            ("E253", "a table with child tables", "name one table; walking its children is not supported yet")
        }
        _ => ("E250", "not a table", "name a table"),
    };
    Some(definition.problem(code, format!("{shown} is {what}")).help(help))
}

/// The primary key's columns.
async fn keys(session: &mut Session, oid: i64) -> Result<Vec<Key>, Error> {
    // format_type with -1 instead of NULL: `character` without a length would mean character(1).
    let rows = query(
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, -1) \
         FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
         JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum \
         WHERE i.indrelid = $1::int8::oid AND a.attrelid = i.indrelid AND i.indisprimary AND k.n <= i.indnkeyatts ORDER BY k.n",
    )
    .bind(oid)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(Key { column: row.try_get(0)?, type_name: row.try_get(1)? })).collect()
}

/// Distinct values of a column, where ANALYZE has counted them; `None` where there is no such column.
async fn tenants(session: &mut Session, oid: i64, column: &str) -> Result<Option<Option<i64>>, Error> {
    let row = query(
        "SELECT (CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 0) ELSE s.n_distinct END)::int8 \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname \
         WHERE c.oid = $1::int8::oid",
    )
    .bind(oid)
    .bind(column)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
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
    let missing = MISSING.contains(&report.code.as_str());
    Ok(Some(if missing { Lookup::Waiting(problem) } else { Lookup::Refused(problem) }))
}
