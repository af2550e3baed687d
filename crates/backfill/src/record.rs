//! What the ledger knows about a definition: its generations and where the latest one stands.

use std::collections::HashMap;

use postgres::{Error, Row, Session, query};

use crate::definition::Definition;
use crate::relation::Relation;

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
    /// A migration was taken back since it was proven complete (in mode `once`: since it began).
    pub(crate) is_undone: bool,
}

impl Record {
    pub(crate) fn is_done(&self) -> bool {
        self.state == "done"
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state == "failed"
    }
}

/// The latest generation of every definition that has one; empty without a ledger.
pub(crate) async fn latest(session: &mut Session, ledger: &str) -> Result<HashMap<String, Record>, Error> {
    let present =
        query("SELECT pg_catalog.to_regclass($1) IS NOT NULL, pg_catalog.to_regclass($2) IS NOT NULL")
            .bind(sql::qualified(ledger, "backfills"))
            .bind(sql::qualified(ledger, "migrations_undone"))
            .fetch_one(session.connection())
            .await?;
    if !present.try_get::<bool, _>(0)? {
        return Ok(HashMap::new());
    }
    let ledger = sql::identifier(ledger);
    // What a migration has made and a rollback has taken away is empty when it is made again.
    let undone = match present.try_get::<bool, _>(1)? {
        true => format!(
            "coalesce(CASE b.mode WHEN 'once' THEN b.started_at ELSE greatest(b.finished_at, b.verified_at) END \
               < (SELECT pg_catalog.max(u.undone_at) FROM {ledger}.migrations_undone u), false)"
        ),
        false => "false".to_owned(),
    };
    let rows = session
        .all(&format!(
            "SELECT DISTINCT ON (b.name) b.name, b.id, b.generation, b.def_sha256, b.table_name, b.state, b.estimated_rows, \
                    b.error, coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r \
                                       JOIN {ledger}.backfill_units u ON u.id = r.unit_id WHERE u.backfill_id = b.id), 0)::int8, \
                    {undone} \
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
                is_undone: row.try_get(9)?,
            };
            Ok((row.try_get(0)?, record))
        })
        .collect()
}

/// Opens a new generation; its units come with the first run. `None` where somebody else has just done so.
pub(crate) async fn open(
    session: &mut Session,
    ledger: &str,
    (definition, relation): (&Definition, &Relation),
    (generation, estimated_rows, deployment): (i32, u64, Option<i64>),
) -> Result<Option<i64>, Error> {
    let ledger = sql::identifier(ledger);
    let columns: Vec<_> = relation.keys.iter().map(|key| key.column.clone()).collect();
    let mode = if definition.is_once() { "once" } else { "predicate" };
    let row = query(&format!(
        "INSERT INTO {ledger}.backfills \
           (name, generation, def_sha256, statement, table_name, key_columns, tenant, state, estimated_rows, deployment, mode) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9, $10) ON CONFLICT (name, generation) DO NOTHING RETURNING id"
    ))
    .bind(&definition.id)
    .bind(generation)
    .bind(&definition.def_sha256)
    .bind(&definition.source.text[definition.span.clone()])
    .bind(&relation.name)
    .bind(columns)
    .bind(definition.tenant().map(str::to_owned))
    .bind(i64::try_from(estimated_rows).unwrap_or(i64::MAX))
    .bind(deployment)
    .bind(mode)
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
}

/// The sample before the first batch has been looked at.
pub(crate) async fn sampled(session: &mut Session, ledger: &str, backfill: i64) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    session
        .run(&format!("UPDATE {ledger}.backfills SET sampled = true WHERE id = {backfill}"))
        .await
        .map(drop)
}

/// Whether the sample before the first batch has been looked at.
pub(crate) async fn is_sampled(session: &mut Session, ledger: &str, backfill: i64) -> Result<bool, Error> {
    let ledger = sql::identifier(ledger);
    let row = session.one(&format!("SELECT sampled FROM {ledger}.backfills WHERE id = {backfill}")).await?;
    Ok(row.try_get(0)?)
}

/// A run begins: what ended the one before is no longer what there is to say.
pub(crate) async fn begun(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
    deployment: Option<i64>,
) -> Result<(), Error> {
    let ledger = sql::identifier(ledger);
    query(&format!(
        "WITH u AS (UPDATE {ledger}.backfill_units SET state = 'running', sqlstate = NULL, error = NULL, finished_at = NULL \
           WHERE backfill_id = $1 AND state = 'failed') \
         UPDATE {ledger}.backfills SET state = 'running', sqlstate = NULL, error = NULL, finished_at = NULL, \
           deployment = coalesce($2, deployment), updated_at = clock_timestamp() WHERE id = $1 AND state <> 'done'"
    ))
    .bind(backfill)
    .bind(deployment)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Records where a backfill stands. `done` is written with the proof's place in the log; what somebody has cancelled
/// meanwhile stays so unless it has come to its end.
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
           verified_lsn = CASE WHEN $2 = 'done' THEN pg_current_wal_lsn() END \
         WHERE id = $1 AND (state <> 'cancelled' OR $2 IN ('done', 'failed'))"
    ))
    .bind(backfill)
    .bind(state)
    .bind(sqlstate)
    .bind(error)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// What was complete has been looked at again, and no row matches.
pub(crate) async fn still_done(session: &mut Session, ledger: &str, backfill: i64) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfills SET verified_at = pg_catalog.clock_timestamp(), verified_lsn = pg_catalog.pg_current_wal_lsn(), \
           updated_at = pg_catalog.clock_timestamp() WHERE id = $1 AND state = 'done'",
        sql::identifier(ledger)
    ))
    .bind(backfill)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Why a run has stopped.
pub(crate) async fn stopped(
    session: &mut Session,
    ledger: &str,
    backfill: i64,
    reason: Option<&str>,
) -> Result<(), Error> {
    query(&format!(
        "UPDATE {}.backfills SET error = coalesce($2, error), updated_at = clock_timestamp() WHERE id = $1 AND state <> 'done'",
        sql::identifier(ledger)
    ))
    .bind(backfill)
    .bind(reason)
    .execute(session.connection())
    .await?;
    Ok(())
}

/// Rows done by all passes, and rows noted as locked.
pub(crate) async fn counts(session: &mut Session, ledger: &str, backfill: i64) -> Result<(u64, u64), Error> {
    let ledger = sql::identifier(ledger);
    let row = query(&format!(
        "SELECT coalesce((SELECT sum(r.rows_done) FROM {ledger}.backfill_ranges r JOIN u ON u.id = r.unit_id), 0)::int8, \
                (SELECT count(*) FROM {ledger}.backfill_skipped k JOIN u ON u.id = k.unit_id)"
    ).replacen("SELECT", &format!("WITH u AS (SELECT id FROM {ledger}.backfill_units WHERE backfill_id = $1) SELECT"), 1))
    .bind(backfill)
    .fetch_one(session.connection())
    .await?;
    Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get::<i64, _>(1)?.unsigned_abs()))
}
