//! Adopting a database: saying which migrations it has had, without running them.

use postgres::{Error, RunLock, query};

use crate::migration::{Migration, Migrations};

/// The migrations that a baseline at a version covers; `None` if no file has that version.
pub fn covered(migrations: &Migrations, version: u64) -> Option<&[Migration]> {
    let place = migrations.0.iter().rposition(|migration| migration.version == version)?;
    Some(&migrations.0[..=place])
}

/// Stamps migrations as being in the database, in one transaction. Their files are hashed like those that are run, so
/// that an edit is found out from now on.
///
/// # Errors
/// A history that is not empty any more is a primary-key error, and nothing is stamped.
pub async fn baseline(
    lock: &RunLock,
    covered: &[Migration],
    ledger: &str,
    deployment: i64,
) -> Result<(), Error> {
    let mut session = lock.session("schema").await?;
    session.run("BEGIN").await?;
    let text = format!(
        "INSERT INTO {}.migrations (version, name, checksum, raw_checksum, token_checksum, kind, deployment, xid, applied_at, duration_ms) \
         VALUES ($1, $2, $3, $4, $5, 'baseline', $6, pg_catalog.pg_current_xact_id()::text, pg_catalog.clock_timestamp(), 0)",
        sql::identifier(ledger)
    );
    for migration in covered {
        query(&text)
            .bind(migration.version.cast_signed())
            .bind(&migration.name)
            .bind(&migration.source.sha256)
            .bind(&migration.source.raw_sha256)
            .bind(migration.source.token_sha256())
            .bind(deployment)
            .execute(session.connection())
            .await?;
    }
    session.run("COMMIT").await?;
    session.close().await;
    Ok(())
}
