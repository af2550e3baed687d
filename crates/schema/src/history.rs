//! The history: which migrations a database has had.

use postgres::ledger::{self, Component};
use postgres::{Error, Row, Session, query};

/// This stage's tables.
pub const LEDGER: Component = Component {
    name: "schema",
    steps: &["CREATE TABLE {schema}.migrations ( \
           version bigint PRIMARY KEY, \
           name text NOT NULL, \
           checksum text NOT NULL, \
           raw_checksum text NOT NULL, \
           token_checksum text, \
           kind text NOT NULL DEFAULT 'applied' CHECK (kind IN ('applied', 'baseline')), \
           deployment bigint NOT NULL, \
           xid text NOT NULL, \
           started_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
           applied_at timestamptz, \
           duration_ms bigint, \
           retries int NOT NULL DEFAULT 0, \
           waited_ms bigint NOT NULL DEFAULT 0); \
         COMMENT ON COLUMN {schema}.migrations.checksum IS 'SHA-256 of the file without BOM and with LF line ends'; \
         COMMENT ON COLUMN {schema}.migrations.raw_checksum IS 'SHA-256 of the bytes on disk'; \
         COMMENT ON COLUMN {schema}.migrations.token_checksum IS 'SHA-256 of the tokens: comments and blanks left out'; \
         CREATE TABLE {schema}.fixtures ( \
           path text PRIMARY KEY, \
           checksum text NOT NULL, \
           deployment bigint NOT NULL, \
           loaded_at timestamptz NOT NULL DEFAULT clock_timestamp())"],
};

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number.
    pub version: u64,
    /// The file's name without number and ending.
    pub name: String,
    /// SHA-256 of the file as it was applied.
    pub checksum: String,
    /// SHA-256 of its tokens.
    pub token_checksum: Option<String>,
}

/// The history, oldest version first; empty where there is no ledger.
pub async fn history(session: &mut Session, ledger: &str) -> Result<Vec<Applied>, Error> {
    if !ledger::exists(session, ledger).await? {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT version, name, checksum, token_checksum FROM {}.migrations ORDER BY version",
        sql::identifier(ledger)
    );
    let rows = session.all(&text).await?;
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            version: row.try_get::<i64, _>(0)?.unsigned_abs(),
            name: row.try_get(1)?,
            checksum: row.try_get(2)?,
            token_checksum: row.try_get(3)?,
        })
    });
    applied.collect()
}

/// Whether the fixtures of this path are in.
pub(crate) async fn fixtures_loaded(session: &mut Session, ledger: &str, path: &str) -> Result<bool, Error> {
    if !ledger::exists(session, ledger).await? {
        return Ok(false);
    }
    let text = format!("SELECT 1 FROM {}.fixtures WHERE path = $1", sql::identifier(ledger));
    Ok(query(&text).bind(path).fetch_optional(session.connection()).await?.is_some())
}
