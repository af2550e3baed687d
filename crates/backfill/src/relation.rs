//! The table that is walked, as the catalog knows it: what only a database can tell about a definition.

use postgres::{Error, PgRow, Row, Session, query};
use sql::Problem;

use crate::definition::Definition;
use crate::header::at_key;
use crate::side_effects;

/// A table that can be walked, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Qualified and quoted.
    pub(crate) name: String,
    /// Schema and name of the partition, unquoted, where this is one of the table.
    pub(crate) leaf: Option<(String, String)>,
    /// The tenant whose rows these are.
    pub(crate) tenant: Option<Tenant>,
    /// Tenants whose rows are left out.
    pub(crate) except: Vec<String>,
    /// Its object identifier.
    pub(crate) oid: i64,
    /// Whether its rows live in the blocks of a heap that can be read span by span (Tid Range Scan, PostgreSQL 14).
    pub(crate) has_blocks: bool,
    /// Whether the key is an integer whose low bits are spread evenly over the rows of each block.
    pub(crate) counts: bool,
    /// Whether the rows lie in the order of the key.
    pub(crate) follows: bool,
    /// Whether its low bits are spread evenly over keys that follow each other.
    pub(crate) spread: bool,
    /// The columns of the key, in its order.
    pub(crate) keys: Vec<Key>,
    /// Its size in pages.
    pub(crate) pages: i64,
    /// Its rows, by the density that ANALYZE or VACUUM saw; `None` where neither has been.
    pub(crate) rows: Option<f64>,
    /// Distinct values of the tenant column, as ANALYZE saw them.
    pub(crate) tenants: Option<i64>,
    /// Of what it consists.
    pub(crate) division: Division,
}

/// The rows of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) column: String,
    pub(crate) type_name: String,
    pub(crate) value: String,
}

/// Of what a table consists, each part with a progress of its own.
#[derive(Debug, Clone)]
pub(crate) enum Division {
    /// Itself.
    Whole,
    /// Its partitions.
    Partitions,
    /// Its tenants, where an index finds the rows of each: column and type.
    Tenants(String, String),
}

impl Relation {
    /// Rows in a block, where known.
    pub(crate) fn density(&self) -> Option<f64> {
        self.rows.filter(|_| self.pages > 0).map(|rows| rows / self.pages as f64)
    }

    /// The rows of one of its tenants.
    pub(crate) fn of_tenant(&self, value: &str, rows: u64) -> Option<Self> {
        let Division::Tenants(column, type_name) = &self.division else { return None };
        let (column, type_name, value) = (column.clone(), type_name.clone(), value.to_owned());
        let tenant = Some(Tenant { column, type_name, value });
        // A few rows are found through the index; for many, the table is as well read.
        let few = self.rows.is_none_or(|all| (rows as f64) < all * MANY);
        Some(Self { tenant, has_blocks: self.has_blocks && !few, follows: false, ..self.clone() })
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

impl Key {
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.type_name.as_str(), "bigint" | "integer" | "smallint")
    }
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

/// The share of a table's rows from which on a tenant is walked over its blocks.
const MANY: f64 = 0.2;
/// Errors that a pending migration may put right: undefined table, column, function, type, schema; no right.
const MISSING: [&str; 6] = ["42P01", "42703", "42883", "42704", "3F000", "42501"];

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
    let keys =
        if named.is_empty() { keys(session, oid).await? } else { named_keys(session, oid, named).await? };
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
        let Some(known) = tenants(session, oid, tenant).await? else {
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

const DETAILS: &str = "SELECT c.oid::int8, c.relkind::text, n.nspname::text, c.relname::text, \
        CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::int8 \
          ELSE (SELECT coalesce(sum(pg_relation_size(t.relid)), 0)::int8 / current_setting('block_size')::int8 \
                FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) END, \
        c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid), \
        CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages \
          WHEN c.relkind = 'p' THEN (SELECT sum(l.reltuples) / nullif(sum(l.relpages), 0) FROM pg_catalog.pg_partition_tree(c.oid) t \
            JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf AND l.reltuples > 0)::float8 END, \
        EXISTS (SELECT FROM pg_catalog.pg_am a WHERE a.oid = c.relam AND a.amname = 'heap') \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// A relation from the row that [`DETAILS`] gives.
async fn described(session: &mut Session, row: &PgRow, keys: Vec<Key>) -> Result<Relation, Error> {
    let (schema, table): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let name = sql::qualified(&schema, &table);
    let (oid, pages, density): (i64, i64, Option<f64>) = (row.try_get(0)?, row.try_get(4)?, row.try_get(6)?);
    let has_blocks = row.try_get::<bool, _>(7)? && session.version_number() >= 140_000;
    let counts = has_blocks && counts(session, &name, &keys).await?;
    let follows = follows(session, (&schema, &table), &keys).await?;
    let spread = spread(session, &name, &keys).await?;
    Ok(Relation {
        name,
        leaf: None,
        tenant: None,
        except: Vec::new(),
        oid,
        has_blocks,
        counts,
        follows,
        spread,
        keys,
        pages,
        rows: density.map(|density| density * pages as f64),
        tenants: None,
        division: Division::Whole,
    })
}

/// One partition of a table, by its qualified name; `None` where it is none of them (any more).
pub(crate) async fn partition(
    session: &mut Session,
    relation: &Relation,
    name: &str,
) -> Result<Option<Relation>, Error> {
    let row = query(&format!(
        "{DETAILS} WHERE c.oid = pg_catalog.to_regclass($1) \
         AND c.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree($2::int8::oid) t WHERE t.isleaf)"
    ))
    .bind(name)
    .bind(relation.oid)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let leaf = Some((row.try_get(2)?, row.try_get(3)?));
    Ok(Some(Relation { leaf, ..described(session, &row, relation.keys.clone()).await? }))
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

/// Whether each residue of the key modulo 8 has its share of the first keys.
async fn spread(session: &mut Session, name: &str, keys: &[Key]) -> Result<bool, Error> {
    let [key] = keys else { return Ok(false) };
    if !key.is_integer() {
        return Ok(false);
    }
    let column = sql::identifier(&key.column);
    let looked = session
        .one(&format!(
            "SELECT coalesce(max(n) <= sum(n) / 8 + 2, false) FROM (SELECT count(*) AS n FROM \
               (SELECT {column} AS k FROM {name} ORDER BY {column} LIMIT 400) AS keys GROUP BY k & 7) AS residues"
        ))
        .await;
    match looked {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error) if error.is_lost_connection() => Err(error),
        Err(_) => Ok(false),
    }
}

/// Whether the rows lie in the order of the key's first column, as ANALYZE saw it.
async fn follows(session: &mut Session, (schema, table): (&str, &str), keys: &[Key]) -> Result<bool, Error> {
    let row = query(
        "SELECT coalesce(bool_or(abs(correlation) > 0.9), false) FROM pg_catalog.pg_stats \
         WHERE schemaname = $1 AND tablename = $2 AND attname = $3",
    )
    .bind(schema.to_owned())
    .bind(table.to_owned())
    .bind(keys.first().map(|key| key.column.clone()))
    .fetch_one(session.connection())
    .await?;
    Ok(row.try_get(0)?)
}

/// Whether each residue of the key modulo 8 has its share of the rows of each block, by the first blocks.
async fn counts(session: &mut Session, name: &str, keys: &[Key]) -> Result<bool, Error> {
    let [key] = keys else { return Ok(false) };
    if !key.is_integer() {
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

/// The columns of a unique index over just these, none of which may be NULL.
async fn named_keys(session: &mut Session, oid: i64, named: &[String]) -> Result<Vec<Key>, Error> {
    let rows = query(
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, -1) \
         FROM (SELECT i.indkey FROM pg_catalog.pg_index i WHERE i.indrelid = $1::int8::oid AND i.indisunique AND i.indisvalid \
                 AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = cardinality($2::text[]) \
                 AND (SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
                      WHERE k.n <= i.indnkeyatts AND a.attnotnull) = $2 LIMIT 1) i, \
              pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::int8::oid AND a.attnum = k.attnum \
         WHERE k.n <= cardinality($2::text[]) ORDER BY k.n",
    )
    .bind(oid)
    .bind(named.to_vec())
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok(Key { column: row.try_get(0)?, type_name: row.try_get(1)? })).collect()
}

/// What is known about the tenant column.
struct Tenants {
    distinct: Option<i64>,
    type_name: String,
    /// Whether an index begins with it.
    indexed: bool,
}

/// The tenant column; `None` where there is no such column.
async fn tenants(session: &mut Session, oid: i64, column: &str) -> Result<Option<Tenants>, Error> {
    let row = query(
        "SELECT (CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 0) ELSE s.n_distinct END)::int8, \
                pg_catalog.format_type(a.atttypid, -1), \
                EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
                          JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree' \
                        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname \
         WHERE c.oid = $1::int8::oid",
    )
    .bind(oid)
    .bind(column)
    .fetch_optional(session.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Tenants { distinct: row.try_get(0)?, type_name: row.try_get(1)?, indexed: row.try_get(2)? }))
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
