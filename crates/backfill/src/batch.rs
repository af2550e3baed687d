//! One batch: a transaction in which rows, cursor and skip notes change together or not at all.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::claim::Claim;
use crate::settings::Settings;
use crate::texts::Texts;

/// What a committed batch did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) scanned: u64,
    pub(crate) matched: u64,
    pub(crate) missed: u64,
    pub(crate) done: u64,
    /// Whether the range is walked to its end.
    pub(crate) last: bool,
    /// The key it ended at.
    pub(crate) cut: Option<Vec<String>>,
}

/// Opens the transaction. Explicitly READ COMMITTED and READ WRITE, whatever the role's defaults are: a stricter level
/// would fail on rows that the application has just changed. `synchronous_commit = off` is safe, because cursor and rows
/// share their fate. `row_security = off` turns a policy that would hide rows into an error.
pub(crate) fn opening(session: &Session, settings: &Settings, lock_timeout: Duration) -> String {
    let transaction =
        if session.version_number() >= 170_000 { "SET LOCAL transaction_timeout = 0; " } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {transaction}SET LOCAL lock_timeout = {}; \
         SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; \
         SET LOCAL row_security = off; SET LOCAL synchronous_commit = off; SET LOCAL jit = off",
        lock_timeout.as_millis(),
        settings.statement_timeout.as_millis(),
        settings.idle_in_transaction_session_timeout.as_millis()
    )
}

/// Locks the range's row and reads the cursor from it; `None` if the lease is no longer ours: whoever took it over goes
/// on, and we must write nothing.
pub(crate) async fn begin(
    session: &mut Session,
    settings: &Settings,
    claim: &Claim,
    ledger: &str,
) -> Result<Option<Option<Vec<String>>>, Error> {
    let opening = opening(session, settings, settings.lock_timeout);
    session.run(&opening).await?;
    let row = lock_range(session, claim, ledger).await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
}

/// The fence: every transaction that writes starts with it.
pub(crate) async fn lock_range(
    session: &mut Session,
    claim: &Claim,
    ledger: &str,
) -> Result<Option<postgres::PgRow>, Error> {
    let row = query(&format!(
        "SELECT r.cursor FROM {}.backfill_ranges r WHERE r.id = $1 AND r.lease_token = $2 FOR UPDATE",
        sql::identifier(ledger)
    ))
    .bind(claim.range)
    .bind(claim.token)
    .fetch_optional(session.connection())
    .await?;
    Ok(row)
}

/// The statement of a batch behind `cursor`, inside the transaction that [`begin`] opened.
pub(crate) async fn execute(
    session: &mut Session,
    texts: &Texts,
    claim: &Claim,
    cursor: Option<&[String]>,
    (scan, rows): (i64, i64),
) -> Result<Batch, Error> {
    let row = query(if cursor.is_some() { &texts.next } else { &texts.first })
        .bind(cursor.map(<[String]>::to_vec))
        .bind(claim.hi.clone())
        .bind(scan)
        .bind(rows - 1)
        .bind(claim.unit)
        .bind(claim.range)
        .bind(claim.token)
        .fetch_one(session.connection())
        .await?;
    let count = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    Ok(Batch {
        scanned: count(0)?,
        matched: count(1)?,
        missed: count(2)?,
        done: count(3)?,
        last: row.try_get(4)?,
        cut: row.try_get(5)?,
    })
}

/// A whole batch; `None` if the lease is no longer ours.
pub(crate) async fn run(
    session: &mut Session,
    texts: &Texts,
    claim: &Claim,
    settings: &Settings,
    ledger: &str,
    size: (i64, i64),
) -> Result<Option<Batch>, Error> {
    let Some(cursor) = begin(session, settings, claim, ledger).await? else {
        session.run("ROLLBACK").await?;
        return Ok(None);
    };
    let batch = execute(session, texts, claim, cursor.as_deref(), size).await?;
    session.run("COMMIT").await?;
    Ok(Some(batch))
}

/// Instead of a batch that failed: notes its rows and goes on behind them. The notes, and whether the range is at its
/// end; `None` if the lease is no longer ours.
pub(crate) async fn note(
    session: &mut Session,
    texts: &Texts,
    claim: &Claim,
    settings: &Settings,
    ledger: &str,
    (scan, rows): (i64, i64),
) -> Result<Option<(Vec<i64>, bool)>, Error> {
    let Some(cursor) = begin(session, settings, claim, ledger).await? else {
        session.run("ROLLBACK").await?;
        return Ok(None);
    };
    let row = query(if cursor.is_some() { &texts.note_next } else { &texts.note_first })
        .bind(cursor)
        .bind(claim.hi.clone())
        .bind(scan)
        .bind(rows - 1)
        .bind(claim.unit)
        .bind(claim.range)
        .bind(claim.token)
        .fetch_one(session.connection())
        .await?;
    let noted = (row.try_get(0)?, row.try_get(1)?);
    session.run("COMMIT").await?;
    Ok(Some(noted))
}
