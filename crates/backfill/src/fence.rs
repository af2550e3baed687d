//! How every transaction of ours that writes begins: with known settings, and with the row that says whether it may.

use std::time::Duration;

use postgres::{Error, Session, query};

use crate::claim::Claim;
use crate::settings::Settings;

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

/// Locks the row of a range or a pass; `false` if the lease is no longer ours: whoever took it over goes on.
pub(crate) async fn lock(session: &mut Session, claim: &Claim, ledger: &str) -> Result<bool, Error> {
    let row = query(&format!(
        "SELECT 1 FROM {}.backfill_ranges r WHERE r.id = $1 AND r.lease_token = $2 FOR UPDATE",
        sql::identifier(ledger)
    ))
    .bind(claim.range)
    .bind(claim.token)
    .fetch_optional(session.connection())
    .await?;
    Ok(row.is_some())
}
