//! The ledger's tables of this stage: what has been done, by whom, up to where.

use std::collections::HashMap;

use postgres::ledger::Component;
use postgres::{Error, Row, Session, query};

use crate::definition::Definition;
use crate::relation::Relation;

/// The tables this stage owns. A backfill is a generation of a definition; a unit is a part of its table (today always
/// the whole); a range is a span of the key with the cursor in it, walked in passes; skipped are the keys of rows that
/// were locked. `backfill_ranges` leaves room on its pages, since every batch updates one of its rows.
pub const LEDGER: Component = Component {
    name: "backfill",
    steps: &["
CREATE TABLE {schema}.backfills (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text        NOT NULL,
    generation     int         NOT NULL,
    def_sha256     text        NOT NULL,
    statement      text        NOT NULL,
    table_name     text        NOT NULL,
    key_columns    text[]      NOT NULL,
    tenant         text,
    state          text        NOT NULL CHECK (state IN
                   ('planned', 'running', 'paused', 'sweeping', 'verifying', 'done', 'failed', 'cancelled')),
    estimated_rows bigint      NOT NULL,
    sqlstate       text,
    error          text,
    deployment     bigint      NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at    timestamptz,
    verified_at    timestamptz,
    verified_lsn   pg_lsn,
    UNIQUE (name, generation)
);
CREATE TABLE {schema}.backfill_units (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    backfill_id bigint NOT NULL REFERENCES {schema}.backfills,
    name        text   NOT NULL DEFAULT '',
    UNIQUE (backfill_id, name)
);
CREATE TABLE {schema}.backfill_ranges (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id          bigint      NOT NULL REFERENCES {schema}.backfill_units,
    pass             int         NOT NULL,
    lo               text[],
    hi               text[],
    cursor           text[],
    state            text        NOT NULL CHECK (state IN ('ready', 'leased', 'done')),
    lease_owner      text,
    lease_token      bigint      NOT NULL DEFAULT 0,
    lease_expires_at timestamptz,
    seq              bigint      NOT NULL DEFAULT 0,
    batch_size       bigint      NOT NULL DEFAULT 0,
    scan_size        bigint      NOT NULL DEFAULT 0,
    rows_done        bigint      NOT NULL DEFAULT 0,
    rows_scanned     bigint      NOT NULL DEFAULT 0,
    rows_skipped     bigint      NOT NULL DEFAULT 0,
    rows_unchanged   bigint      NOT NULL DEFAULT 0,
    left_over        text[],
    take_overs       int         NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
CREATE INDEX ON {schema}.backfill_ranges (unit_id, pass);
CREATE TABLE {schema}.backfill_skipped (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id  bigint      NOT NULL REFERENCES {schema}.backfill_units,
    key      text[]      NOT NULL,
    since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts int         NOT NULL DEFAULT 0,
    UNIQUE (unit_id, key)
);
"],
};

/// The latest generation of a definition, as the ledger knows it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) generation: i32,
    pub(crate) def_sha256: String,
    pub(crate) table_name: String,
    pub(crate) state: String,
    pub(crate) estimated_rows: u64,
    pub(crate) error: Option<String>,
    pub(crate) rows: u64,
}

impl Record {
    pub(crate) fn is_done(&self) -> bool {
        self.state == "done"
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state == "failed"
    }
}

/// The span that is being walked.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) backfill: i64,
    pub(crate) unit: i64,
    pub(crate) range: i64,
    pub(crate) pass: i32,
    pub(crate) token: i64,
    pub(crate) hi: Option<Vec<String>>,
    pub(crate) done: bool,
    pub(crate) batch_size: i64,
    pub(crate) scan_size: i64,
    pub(crate) unchanged: u64,
}

/// The latest generation of every definition that has one; empty without a ledger.
pub(crate) async fn latest(session: &mut Session, ledger: &str) -> Result<HashMap<String, Record>, Error> {
    let present = query("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(sql::qualified(ledger, "backfills"))
        .fetch_one(session.connection())
        .await?;
    if !present.try_get::<bool, _>(0)? {
        return Ok(HashMap::new());
    }
    let ledger = sql::identifier(ledger);
    let rows = session
        .all(&format!(
            "SELECT DISTINCT ON (b.name) b.name, b.id, b.generation, b.def_sha256, b.table_name, b.state, b.estimated_rows, \
                    b.error, coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r \
                                       JOIN {ledger}.backfill_units u ON u.id = r.unit_id WHERE u.backfill_id = b.id), 0)::int8 \
             FROM {ledger}.backfills b ORDER BY b.name, b.generation DESC"
        ))
        .await?;
    rows.iter()
        .map(|row| {
            let record = Record {
                id: row.try_get(1)?,
                generation: row.try_get(2)?,
                def_sha256: row.try_get(3)?,
                table_name: row.try_get(4)?,
                state: row.try_get(5)?,
                estimated_rows: row.try_get::<i64, _>(6)?.unsigned_abs(),
                error: row.try_get(7)?,
                rows: row.try_get::<i64, _>(8)?.unsigned_abs(),
            };
            Ok((row.try_get(0)?, record))
        })
        .collect()
}

/// Opens a new generation with its unit and its first range, which ends at `hi`. One transaction.
pub(crate) async fn open(
    session: &mut Session,
    ledger: &str,
    (definition, relation): (&Definition, &Relation),
    (generation, estimated_rows, deployment): (i32, u64, i64),
    hi: Option<&[String]>,
) -> Result<i64, Error> {
    let ledger = sql::identifier(ledger);
    let columns: Vec<_> = relation.keys.iter().map(|key| key.column.clone()).collect();
    let row = query(&format!(
        "WITH b AS (INSERT INTO {ledger}.backfills \
           (name, generation, def_sha256, statement, table_name, key_columns, tenant, state, estimated_rows, deployment) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9) RETURNING id), \
         u AS (INSERT INTO {ledger}.backfill_units (backfill_id) SELECT id FROM b RETURNING id), \
         r AS (INSERT INTO {ledger}.backfill_ranges (unit_id, pass, hi, state) \
           SELECT id, 1, $10, CASE WHEN $10::text[] IS NULL THEN 'done' ELSE 'ready' END FROM u) \
         SELECT id FROM b"
    ))
    .bind(&definition.id)
    .bind(generation)
    .bind(&definition.def_sha256)
    .bind(&definition.source.text[definition.span.clone()])
    .bind(&relation.name)
    .bind(columns)
    .bind(definition.tenant.clone())
    .bind(i64::try_from(estimated_rows).unwrap_or(i64::MAX))
    .bind(deployment)
    .bind(hi.map(<[String]>::to_vec))
    .fetch_one(session.connection())
    .await?;
    Ok(row.try_get(0)?)
}

/// Takes the lease on the latest range of a backfill. The token goes up: whoever had it before can write no more.
pub(crate) async fn claim(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
    deployment: i64,
) -> Result<Claim, Error> {
    let quoted = sql::identifier(ledger);
    query(&format!(
        "UPDATE {quoted}.backfills SET state = 'running', sqlstate = NULL, error = NULL, finished_at = NULL, \
         deployment = $2, updated_at = clock_timestamp() WHERE id = $1"
    ))
    .bind(backfill)
    .bind(deployment)
    .execute(session.connection())
    .await?;
    let row = query(&format!(
        "WITH c AS MATERIALIZED (SELECT r.id FROM {quoted}.backfill_ranges r JOIN {quoted}.backfill_units u ON u.id = r.unit_id \
           WHERE u.backfill_id = $1 ORDER BY r.pass DESC LIMIT 1 FOR UPDATE OF r) \
         UPDATE {quoted}.backfill_ranges r SET lease_token = r.lease_token + 1, lease_owner = $2, \
           lease_expires_at = clock_timestamp() + interval '60 seconds', \
           take_overs = r.take_overs + (r.state = 'leased')::int, \
           state = CASE r.state WHEN 'done' THEN 'done' ELSE 'leased' END \
         FROM c WHERE r.id = c.id \
         RETURNING r.unit_id, r.id, r.pass, r.lease_token, r.hi, r.state = 'done', r.batch_size, r.scan_size, r.rows_unchanged"
    ))
    .bind(backfill)
    .bind(format!("deployment {deployment}, pid {}", session.pid()))
    .fetch_one(session.connection())
    .await?;
    Ok(Claim {
        backfill,
        unit: row.try_get(0)?,
        range: row.try_get(1)?,
        pass: row.try_get(2)?,
        token: row.try_get(3)?,
        hi: row.try_get(4)?,
        done: row.try_get(5)?,
        batch_size: row.try_get(6)?,
        scan_size: row.try_get(7)?,
        unchanged: row.try_get::<i64, _>(8)?.unsigned_abs(),
    })
}

/// Adds the range of another pass, which starts behind `lo`. The keys that are left over from the pass before are
/// remembered: one that is left over twice keeps matching.
pub(crate) async fn next_pass(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    (lo, hi): (Option<&[String]>, Option<&[String]>),
    left_over: &[String],
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH o AS (UPDATE {ledger}.backfill_ranges SET left_over = $6 WHERE id = $7 AND lease_token = $8 RETURNING unit_id) \
         INSERT INTO {ledger}.backfill_ranges (unit_id, pass, lo, cursor, hi, state, batch_size, scan_size) \
         SELECT o.unit_id, $1 + 1, $2, $2, $3, 'ready', $4, $5 FROM o"
    ))
    .bind(claim.pass)
    .bind(lo.map(<[String]>::to_vec))
    .bind(hi.map(<[String]>::to_vec))
    .bind(claim.batch_size)
    .bind(claim.scan_size)
    .bind(left_over.to_vec())
    .bind(claim.range)
    .bind(claim.token)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// What was left over before the pass of this claim.
pub(crate) async fn left_over(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
) -> Result<Vec<String>, Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT coalesce(left_over, '{{}}') FROM {ledger}.backfill_ranges WHERE unit_id = $1 AND pass = $2 - 1"
    ))
    .bind(claim.unit)
    .bind(claim.pass)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => Vec::new(),
    })
}

/// Records where a backfill stands. `done` is written with the proof's place in the log.
pub(crate) async fn set_state(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
    state: &str,
    (sqlstate, error): (Option<&str>, Option<&str>),
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "UPDATE {ledger}.backfills SET state = $2, sqlstate = $3, error = $4, updated_at = clock_timestamp(), \
           finished_at = CASE WHEN $2 IN ('done', 'failed') THEN clock_timestamp() END, \
           verified_at = CASE WHEN $2 = 'done' THEN clock_timestamp() END, \
           verified_lsn = CASE WHEN $2 = 'done' THEN pg_current_wal_lsn() END WHERE id = $1"
    ))
    .bind(backfill)
    .bind(state)
    .bind(sqlstate)
    .bind(error)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Gives the lease back, with the size that the next claim starts from and the reason for stopping.
pub(crate) async fn release(
    session: &mut Session,
    ledger: &str,
    claim: &Claim,
    error: Option<&str>,
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH r AS (UPDATE {ledger}.backfill_ranges SET state = CASE state WHEN 'leased' THEN 'ready' ELSE state END, \
           lease_owner = NULL, lease_expires_at = NULL WHERE id = $1 AND lease_token = $2 RETURNING 1) \
         UPDATE {ledger}.backfills SET error = coalesce($4, error), updated_at = clock_timestamp() \
         WHERE id = $3 AND EXISTS (SELECT FROM r)"
    ))
    .bind(claim.range)
    .bind(claim.token)
    .bind(claim.backfill)
    .bind(error)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Rows done by all passes, and rows noted as locked.
pub(crate) async fn counts(session: &mut Session, ledger: &str, backfill: i64) -> Result<(u64, u64), Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r WHERE r.unit_id = u.id), 0)::int8, \
                (SELECT count(*) FROM {ledger}.backfill_skipped k WHERE k.unit_id = u.id) \
         FROM {ledger}.backfill_units u WHERE u.backfill_id = $1"
    ))
    .bind(backfill)
    .fetch_one(session.connection())
    .await?;
    Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get::<i64, _>(1)?.unsigned_abs()))
}
