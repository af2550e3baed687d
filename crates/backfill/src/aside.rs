//! Rows in quarantine, as people see them: which, why, and what is to become of them.

use postgres::{Error, Row, Session, query};
use serde::Serialize;

use crate::quarantine;

/// A row that could not be done.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Aside {
    /// The values of its key.
    pub key: Vec<String>,
    /// The partition or tenant; empty where there is but the table.
    pub unit: String,
    /// What the server said.
    pub sqlstate: Option<String>,
    /// What the server said.
    pub message: String,
    /// The constraint that refused it.
    pub constraint: Option<String>,
    /// Since when.
    pub since: String,
    /// By whom and why it is accepted as it is.
    pub accepted: Option<String>,
}

/// What came of a change to the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// So many rows.
    Rows(u64),
    /// Nobody has run it.
    NotBegun,
}

/// The rows of a backfill that are set aside, the oldest first.
pub async fn asides(session: &mut Session, ledger: &str, id: &str) -> Result<Vec<Aside>, Error> {
    let Some((backfill, _)) = latest(session, ledger, id).await? else { return Ok(Vec::new()) };
    let ledger = sql::identifier(ledger);
    let rows = query(&format!(
        "SELECT q.key, u.name, q.sqlstate, q.message, q.constraint_name, to_char(q.since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
           CASE WHEN q.resolved_at IS NOT NULL THEN pg_catalog.concat_ws(': ', q.resolved_by, q.reason) END \
         FROM {ledger}.backfill_quarantine q JOIN {ledger}.backfill_units u ON u.id = q.unit_id WHERE u.backfill_id = $1 ORDER BY q.id LIMIT 1000"
    ))
    .bind(backfill)
    .fetch_all(session.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Aside {
                key: row.try_get(0)?,
                unit: row.try_get(1)?,
                sqlstate: row.try_get(2)?,
                message: row.try_get(3)?,
                constraint: row.try_get(4)?,
                since: row.try_get(5)?,
                accepted: row.try_get(6)?,
            })
        })
        .collect()
}

/// Rows that are set aside become rows to visit again, at the next run.
pub async fn retry_quarantine(
    session: &mut Session,
    ledger: &str,
    (id, actor): (&str, &str),
) -> Result<Settled, Error> {
    let Some((backfill, revision)) = latest(session, ledger, id).await? else { return Ok(Settled::NotBegun) };
    let rows = quarantine::retry(session, ledger, backfill).await?;
    let what = ("quarantine retry", format!("{rows} rows"));
    journal(session, ledger, (backfill, revision), actor, what).await?;
    Ok(Settled::Rows(rows))
}

/// Rows that are set aside are accepted as they are: the backfill may be complete without them. `keys` names them, each
/// as its values joined by commas; all of them where it is empty.
pub async fn accept_quarantine(
    session: &mut Session,
    ledger: &str,
    (id, actor): (&str, &str),
    (keys, reason): (&[String], &str),
) -> Result<Settled, Error> {
    let Some((backfill, revision)) = latest(session, ledger, id).await? else { return Ok(Settled::NotBegun) };
    let quoted = sql::identifier(ledger);
    let accepted = query(&format!(
        "UPDATE {quoted}.backfill_quarantine q SET resolved_at = clock_timestamp(), resolution = 'accepted', resolved_by = $2, reason = $3 \
         FROM {quoted}.backfill_units u WHERE u.id = q.unit_id AND u.backfill_id = $1 AND q.resolved_at IS NULL \
           AND (pg_catalog.cardinality($4::text[]) = 0 OR pg_catalog.array_to_string(q.key, ',') = ANY ($4))"
    ))
    .bind(backfill)
    .bind(actor.to_owned())
    .bind(reason.to_owned())
    .bind(keys.to_vec())
    .execute(session.connection())
    .await?;
    let rows = accepted.rows_affected();
    let what = ("quarantine accept", format!("{rows} rows: {reason}"));
    journal(session, ledger, (backfill, revision), actor, what).await?;
    Ok(Settled::Rows(rows))
}

async fn latest(session: &mut Session, ledger: &str, id: &str) -> Result<Option<(i64, i32)>, Error> {
    let row = query(&format!(
        "SELECT id, revision FROM {}.backfills WHERE name = $1 ORDER BY generation DESC LIMIT 1",
        sql::identifier(ledger)
    ))
    .bind(id.to_owned())
    .fetch_optional(session.connection())
    .await?;
    Ok(match row {
        Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
        None => None,
    })
}

async fn journal(
    session: &mut Session,
    ledger: &str,
    (backfill, revision): (i64, i32),
    actor: &str,
    (action, detail): (&str, String),
) -> Result<(), Error> {
    query(&format!(
        "INSERT INTO {}.backfill_journal (backfill_id, revision, actor, action, detail) VALUES ($1, $2, $3, $4, $5)",
        sql::identifier(ledger)
    ))
    .bind(backfill)
    .bind(revision)
    .bind(actor.to_owned())
    .bind(action.to_owned())
    .bind(detail)
    .execute(session.connection())
    .await?;
    Ok(())
}
