//! Adopting a database whose history another tool has kept: its rows become ours, without anything being run.

use postgres::{Error, RunLock, query};

use crate::migration::Migration;

/// A migration that the other tool has applied.
#[derive(Debug, Clone)]
pub struct Imported<'m> {
    /// The file that it has become.
    pub migration: &'m Migration,
    /// The tool, and its own name for it.
    pub from: String,
    /// When it was begun there, as the server reads a time; now, where the tool does not know.
    pub started_at: Option<String>,
    /// When it was applied there.
    pub applied_at: Option<String>,
    /// How long it took there.
    pub duration_ms: Option<i64>,
}

/// Writes the rows, in one transaction.
///
/// # Errors
/// A history that is not empty any more is a primary-key error, and nothing is written.
pub async fn import(
    lock: &RunLock,
    imported: &[Imported<'_>],
    ledger: &str,
    deployment: i64,
) -> Result<(), Error> {
    let mut session = lock.session("schema").await?;
    session.run("BEGIN").await?;
    let text = format!(
        "INSERT INTO {}.migrations (version, name, checksum, raw_checksum, token_checksum, kind, deployment, xid, started_at, applied_at, \
           duration_ms, imported_from, file, phase, requires, down_sql, down_checksum) \
         VALUES ($1, $2, $3, $4, $5, 'imported', $6, pg_catalog.pg_current_xact_id()::text, \
           coalesce($7::text::timestamptz, $8::text::timestamptz, pg_catalog.clock_timestamp()), \
           coalesce($8::text::timestamptz, pg_catalog.clock_timestamp()), \
           coalesce($9, (extract(epoch FROM $8::text::timestamptz - $7::text::timestamptz) * 1000)::bigint), $10, $11, $12, $13, $14, $15)",
        sql::identifier(ledger)
    );
    for Imported { migration, from, started_at, applied_at, duration_ms } in imported {
        query(&text)
            .bind(migration.version.cast_signed())
            .bind(&migration.name)
            .bind(&migration.source.sha256)
            .bind(&migration.source.raw_sha256)
            .bind(migration.source.token_sha256())
            .bind(deployment)
            .bind(started_at)
            .bind(applied_at)
            .bind(duration_ms)
            .bind(from)
            .bind(migration.id())
            .bind(migration.header.phase.as_str())
            .bind(&migration.header.requires)
            .bind(migration.down.as_ref().map(|down| down.text.to_string()))
            .bind(migration.down.as_ref().map(|down| &down.sha256))
            .execute(session.connection())
            .await?;
    }
    session.run("COMMIT").await?;
    session.close().await;
    Ok(())
}
