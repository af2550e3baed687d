//! The parts of a backfill that have a progress of their own: its table, its partitions, or its tenants.

use std::time::Duration;

use postgres::{Error, PgRow, Row, Session, query};

use crate::relation::{self, Division, Relation};

/// How long the tenants may take to be listed.
const LIST: Duration = Duration::from_secs(60);
/// Tenants beyond this many would cost more to keep apart than to walk together.
const TENANTS: i64 = 10_000;

/// A part of a backfill.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) id: i64,
    /// Empty for the whole table.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) tenant: Option<String>,
    pub(crate) relation: Option<String>,
    pub(crate) estimated_rows: u64,
    /// In mode `once`, the greatest key that is done, noted when the backfill began; empty where nothing was there.
    pub(crate) bound: Option<Vec<String>>,
    pub(crate) writers: Vec<String>,
}

const COLUMNS: &str = "u.id, u.name, u.kind, u.tenant, u.relation, coalesce(u.estimated_rows, 0), u.bound, coalesce(u.writers, '{}')";

impl Unit {
    fn of(row: &PgRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            kind: row.try_get(2)?,
            tenant: row.try_get(3)?,
            relation: row.try_get(4)?,
            estimated_rows: row.try_get::<i64, _>(5)?.unsigned_abs(),
            bound: row.try_get(6)?,
            writers: row.try_get(7)?,
        })
    }

    /// The relation that this unit's rows are in; `None` where it is no longer a part of the table.
    pub(crate) async fn relation(
        &self,
        session: &mut Session,
        table: &Relation,
    ) -> Result<Option<Relation>, Error> {
        match (self.kind.as_str(), &self.tenant, &self.relation) {
            ("partition", _, Some(name)) => relation::partition(session, table, name).await,
            ("tenant", Some(value), _) => Ok(table.of_tenant(value, self.estimated_rows)),
            _ => Ok(Some(table.clone())),
        }
    }
}

/// Adds the units that are not there yet. How many. In mode `once` nothing of those that come `late` was there when it
/// began: their bound is empty.
pub(crate) async fn enumerate(
    session: &mut Session,
    ledger: &str,
    (backfill, estimated_rows): (i64, u64),
    relation: &Relation,
    late: bool,
) -> Result<u64, Error> {
    let ledger = sql::identifier(ledger);
    let bound = if late { "'{}'::text[]" } else { "NULL::text[]" };
    let insert = format!(
        "INSERT INTO {ledger}.backfill_units (backfill_id, name, kind, position, relation, tenant, estimated_rows, bound)"
    );
    let conflict = "ON CONFLICT (backfill_id, name) DO NOTHING";
    let text = match &relation.division {
        Division::Whole => {
            let estimated_rows = i64::try_from(estimated_rows).unwrap_or(i64::MAX);
            format!("{insert} SELECT $1, '', 'table', 0, $2, NULL, {estimated_rows}, {bound} {conflict}")
        }
        Division::Partitions => format!(
            "{insert} SELECT $1, CASE WHEN n.nspname || c.relname LIKE '%.%' THEN pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) \
                 ELSE n.nspname || '.' || c.relname END, 'partition', row_number() OVER (ORDER BY c.reltuples, c.oid), \
               pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), NULL, greatest(c.reltuples, 0)::int8, {bound} \
             FROM pg_catalog.pg_partition_tree({}::int8::oid) t JOIN pg_catalog.pg_class c ON c.oid = t.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf AND c.relkind = 'r' {conflict}",
            relation.oid
        ),
        Division::Tenants(column, type_name) => {
            // From value to value along the index (a loose scan), since DISTINCT would read it all. Few rows come first:
            // a tenant that is small is done early. The empty text is no tenant: it is how the rest is known.
            let (column, table) = (sql::identifier(column), &relation.name);
            format!(
                "WITH RECURSIVE v AS ((SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1) UNION ALL \
                   SELECT (SELECT x.{column} FROM {table} x WHERE x.{column} > v.v ORDER BY x.{column} LIMIT 1) FROM v WHERE v.v IS NOT NULL), \
                 s AS (SELECT w.value::{type_name} AS v, w.freq::float8 AS freq FROM pg_catalog.pg_stats p, \
                   LATERAL (SELECT * FROM ROWS FROM (pg_catalog.unnest(p.most_common_vals::text::text[]), pg_catalog.unnest(p.most_common_freqs)) AS w (value, freq)) w \
                   WHERE p.schemaname || '.' || p.tablename = $2 AND p.attname = {}), \
                 w AS MATERIALIZED (SELECT v.v FROM v WHERE v.v::text <> '' LIMIT {TENANTS}), \
                 n AS (SELECT w.v, coalesce(s.freq, 0) AS freq FROM w LEFT JOIN s ON s.v = w.v) \
                 {insert} SELECT $1, n.v::text, 'tenant', row_number() OVER (ORDER BY n.freq, n.v), NULL, n.v::text, \
                   (n.freq * {})::int8, {bound} FROM n {conflict}",
                sql::literal(&column.replace('"', "")),
                estimated_rows
            )
        }
    };
    session.run(&format!("SET statement_timeout = {}", LIST.as_millis())).await?;
    let added =
        query(&text).bind(backfill).bind(relation.name.replace('"', "")).execute(session.connection()).await;
    session.run("SET statement_timeout = 0").await?;
    let mut added = added?.rows_affected();
    if matches!(relation.division, Division::Tenants(..)) {
        // Rows without a tenant, and whatever came in meanwhile: the table, after the tenants.
        let rest = format!("{insert} VALUES ($1, '', 'table', 2147483647, $2, NULL, 0, {bound}) {conflict}");
        added += query(&rest)
            .bind(backfill)
            .bind(&relation.name)
            .execute(session.connection())
            .await?
            .rows_affected();
    }
    Ok(added)
}

/// The units that are not over, in the order of work.
pub(crate) async fn open(session: &mut Session, ledger: &str, backfill: i64) -> Result<Vec<Unit>, Error> {
    let rows = query(&format!(
        "SELECT {COLUMNS} FROM {}.backfill_units u WHERE u.backfill_id = $1 AND u.state = 'running' ORDER BY u.position, u.id",
        sql::identifier(ledger)
    ))
    .bind(backfill)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(Unit::of).collect()
}

/// Records how a unit ended.
pub(crate) async fn close(
    session: &mut Session,
    ledger: &str,
    unit: i64,
    state: &str,
    (sqlstate, error): (Option<&str>, Option<&str>),
) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfill_units SET state = $2, sqlstate = $3, error = $4, \
           finished_at = CASE $2 WHEN 'running' THEN NULL ELSE clock_timestamp() END WHERE id = $1",
        sql::identifier(ledger)
    ))
    .bind(unit)
    .bind(state)
    .bind(sqlstate)
    .bind(error)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Units that have failed, with the reason of the first.
pub(crate) async fn failed(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
) -> Result<Vec<(String, Option<String>, String)>, Error> {
    let rows = query(&format!(
        "SELECT name, sqlstate, coalesce(error, '') FROM {}.backfill_units \
         WHERE backfill_id = $1 AND state = 'failed' ORDER BY position, id",
        sql::identifier(ledger)
    ))
    .bind(backfill)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// In mode `once`: what is there now is what is to be done. Of each unit the greatest key, and the transactions that may
/// have written a lower one and have not committed yet: those that write it, or a table above it, through which they may
/// come to it. In a transaction with one snapshot for all of them.
pub(crate) async fn bounds(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
    relation: &Relation,
) -> Result<(), Error> {
    let Some(key) = relation.keys.first().map(|key| sql::identifier(&key.column)) else { return Ok(()) };
    let quoted = sql::identifier(ledger);
    for unit in open(session, ledger, backfill).await? {
        let table = unit.relation.as_deref().unwrap_or(&relation.name);
        query(&format!(
            "UPDATE {quoted}.backfill_units u SET \
               bound = coalesce((SELECT ARRAY[t.{key}::text] FROM {table} t ORDER BY t.{key} DESC LIMIT 1), '{{}}'), \
               writers = (SELECT coalesce(pg_catalog.array_agg(DISTINCT l.virtualtransaction), '{{}}') FROM pg_catalog.pg_locks l \
                 WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted \
                   AND (l.relation = pg_catalog.to_regclass($2) OR l.relation IN (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(pg_catalog.to_regclass($2)) a)) \
                   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) \
             WHERE u.id = $1"
        ))
        .bind(unit.id)
        .bind(table.to_owned())
        .execute(session.connection())
        .await?;
    }
    Ok(())
}

/// Which of these transactions are still open: they hold locks, prepared ones too, until they end.
pub(crate) async fn writing(session: &mut Session, writers: &[String]) -> Result<Option<String>, Error> {
    let row = query(
        "SELECT min(pg_catalog.format('pid %s, %s', l.pid, coalesce(a.application_name, ''))) FROM pg_catalog.pg_locks l \
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.virtualtransaction = ANY ($1)",
    )
    .bind(writers.to_vec())
    .fetch_one(session.connection())
    .await?;
    Ok(row.try_get(0)?)
}
