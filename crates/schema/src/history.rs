//! The history: which migrations a database has had.

use postgres::ledger::{self, Component};
use postgres::{Error, PgRow, Row, Session, query};

/// This stage's tables.
pub const LEDGER: Component = Component {
    name: "schema",
    steps: &[
        "CREATE TABLE {schema}.migrations ( \
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
           loaded_at timestamptz NOT NULL DEFAULT clock_timestamp())",
        "ALTER TABLE {schema}.migrations DROP CONSTRAINT migrations_kind_check, \
           ADD CONSTRAINT migrations_kind_check CHECK (kind IN ('applied', 'baseline', 'imported', 'snapshot', 'repaired')), \
           ADD COLUMN status text NOT NULL DEFAULT 'applied' CHECK (status IN ('running', 'applied')), \
           ADD COLUMN file text, \
           ADD COLUMN imported_from text, \
           ADD COLUMN phase text NOT NULL DEFAULT 'pre', \
           ADD COLUMN requires text[] NOT NULL DEFAULT '{}', \
           ADD COLUMN statements text[], \
           ADD COLUMN statements_total int, \
           ADD COLUMN statements_done int, \
           ADD COLUMN in_doubt int, \
           ADD COLUMN down_sql text, \
           ADD COLUMN down_checksum text; \
         COMMENT ON COLUMN {schema}.migrations.file IS 'the file''s name without its ending'; \
         COMMENT ON COLUMN {schema}.migrations.imported_from IS 'the tool that had applied it, and its own name for it'; \
         COMMENT ON COLUMN {schema}.migrations.statements IS 'SHA-256 of each statement, where they ran one by one'; \
         COMMENT ON COLUMN {schema}.migrations.in_doubt IS 'the statement, from 1, that was sent and whose outcome is not recorded yet'; \
         COMMENT ON COLUMN {schema}.migrations.down_sql IS 'what takes it back, as it stood beside the file when that was applied'; \
         CREATE TABLE {schema}.migrations_undone ( \
           version bigint NOT NULL, \
           name text NOT NULL, \
           checksum text NOT NULL, \
           kind text NOT NULL, \
           applied_by bigint NOT NULL, \
           applied_at timestamptz, \
           how text NOT NULL CHECK (how IN ('rolled back', 'marked')), \
           reason text NOT NULL, \
           deployment bigint NOT NULL, \
           undone_at timestamptz NOT NULL DEFAULT clock_timestamp())",
    ],
};

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number.
    pub version: u64,
    /// The file's name without number and ending.
    pub name: String,
    /// The file's name without its ending.
    pub id: String,
    /// SHA-256 of the file as it was applied.
    pub checksum: String,
    /// SHA-256 of its tokens.
    pub token_checksum: Option<String>,
    /// How far a file is whose statements run one by one, while it is not done.
    pub progress: Option<Progress>,
}

/// How far a file with `transaction: false` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Statements that are in.
    pub done: usize,
    /// SHA-256 of every statement when it was last run.
    pub statements: Vec<String>,
    /// The statement, from 0, that was sent and whose outcome was not recorded.
    pub in_doubt: Option<usize>,
}

impl Progress {
    /// Whether any of it is in the database, or may be.
    pub fn has_begun(&self) -> bool {
        self.done > 0 || self.in_doubt.is_some()
    }
}

/// The history, oldest version first; empty where there is no ledger.
pub async fn history(session: &mut Session, ledger: &str) -> Result<Vec<Applied>, Error> {
    if !ledger::exists(session, ledger).await? {
        return Ok(Vec::new());
    }
    // A read may meet a ledger that an older version has written, and may not bring it up to date.
    let current = format!(
        "SELECT 1 FROM {}.ledger WHERE component = 'schema' AND version >= 2",
        sql::identifier(ledger)
    );
    let newer = if session.answer(&current).await?.is_some() {
        "coalesce(file, version || '_' || name), status = 'running', statements_done, statements, in_doubt"
    } else {
        "version || '_' || name, false, NULL::int, NULL::text[], NULL::int"
    };
    let text = format!(
        "SELECT version, name, checksum, token_checksum, {newer} FROM {}.migrations ORDER BY version",
        sql::identifier(ledger)
    );
    session.all(&text).await?.iter().map(applied).collect()
}

fn applied(row: &PgRow) -> Result<Applied, Error> {
    let number = |value: Option<i32>| value.and_then(|value| usize::try_from(value).ok());
    let progress = match row.try_get::<bool, _>(5)? {
        true => Some(Progress {
            done: number(row.try_get(6)?).unwrap_or(0),
            statements: row.try_get::<Option<Vec<String>>, _>(7)?.unwrap_or_default(),
            in_doubt: number(row.try_get(8)?).and_then(|nth| nth.checked_sub(1)),
        }),
        false => None,
    };
    Ok(Applied {
        version: row.try_get::<i64, _>(0)?.unsigned_abs(),
        name: row.try_get(1)?,
        checksum: row.try_get(2)?,
        token_checksum: row.try_get(3)?,
        id: row.try_get(4)?,
        progress,
    })
}

/// Whether the fixtures of this path are in.
pub(crate) async fn fixtures_loaded(session: &mut Session, ledger: &str, path: &str) -> Result<bool, Error> {
    if !ledger::exists(session, ledger).await? {
        return Ok(false);
    }
    let text = format!("SELECT 1 FROM {}.fixtures WHERE path = $1", sql::identifier(ledger));
    Ok(query(&text).bind(path).fetch_optional(session.connection()).await?.is_some())
}
