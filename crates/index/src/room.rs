//! What a build needs on the disk, and whether the disk has it, where that can be known.
//!
//! PostgreSQL has no function for the free space of a disk. A server behind a Unix socket is on this machine, and its data
//! directory can be asked about here; of every other one the build itself finds out, and is cleaned up after (53100).

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use postgres::{Error, Row, Session, query};

use crate::declaration::Declaration;
use crate::survey::Table;

/// Bytes that a B-tree takes for each row at the very least: its row's address, where equal keys are kept together.
const ADDRESS: f64 = 6.0;
/// Bytes that a row takes in the index and in its sort beside the columns: headers, address, alignment.
const OVERHEAD: f64 = 16.0;
/// How full a leaf page of a new B-tree is (CREATE INDEX, "fillfactor").
const FULL: f64 = 0.9;

/// What a build needs, as far as the server's statistics tell.
pub(crate) struct Room {
    /// The size the index will have.
    pub(crate) estimated_bytes: Option<i64>,
    /// What a build cannot do without, temporary files included.
    least_bytes: i64,
    /// What the disk has left.
    free_bytes: Option<i64>,
}

impl Room {
    /// Reads only. Nothing is known about an index on expressions, with a predicate, or of another kind than B-tree, and
    /// nothing of a table that was never analysed.
    pub(crate) async fn of(
        session: &mut Session,
        declaration: &Declaration,
        table: &Table,
    ) -> Result<Option<Self>, Error> {
        let Some(columns) = &declaration.columns else { return Ok(None) };
        let text = "SELECT c.reltuples::float8, \
                (SELECT sum(coalesce(s.avg_width, nullif(a.attlen, -1), 8))::float8 FROM pg_catalog.pg_attribute a \
                 LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = $2 AND s.tablename = $3 AND s.attname = a.attname AND NOT s.inherited \
                 WHERE a.attrelid = c.oid AND a.attname = ANY ($4)), \
                (SELECT setting::float8 * 1024 FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem') \
             FROM pg_catalog.pg_class c WHERE c.oid::int8 = $1";
        let row = query(text)
            .bind(table.oid)
            .bind(&table.schema)
            .bind(&table.name)
            .bind(columns)
            .fetch_optional(session.connection())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (rows, width): (f64, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
        let (Some(width), true) = (width, rows > 0.0) else { return Ok(None) };
        let memory: f64 = row.try_get::<Option<f64>, _>(2)?.unwrap_or(0.0);
        let sorted = rows * (width + OVERHEAD);
        let least = if sorted > memory { sorted } else { rows * ADDRESS };
        Ok(Some(Self {
            estimated_bytes: Some((sorted / FULL) as i64),
            least_bytes: least as i64,
            free_bytes: free(session, declaration.tablespace.as_deref()).await?,
        }))
    }

    /// Words, if the disk cannot hold it.
    pub(crate) fn refusal(&self) -> Option<String> {
        let free = self.free_bytes.filter(|free| *free < self.least_bytes)?;
        let mebibytes = |bytes: i64| bytes / 1024 / 1024;
        Some(format!(
            "not begun: the build needs at least {} MiB, and the server's disk has {} MiB left",
            mebibytes(self.least_bytes),
            mebibytes(free)
        ))
    }
}

/// The free space of the disk of a tablespace, or of the database's own files; `None` where it cannot be known.
async fn free(session: &mut Session, tablespace: Option<&str>) -> Result<Option<i64>, Error> {
    let text =
        "SELECT pg_catalog.inet_server_addr() IS NULL AND pg_catalog.current_setting('is_superuser') = 'on'";
    if !session.one(text).await?.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    // The time of the directory's last change shows that the path means the same directory here as it does there.
    let text = "SELECT pg_catalog.current_setting('data_directory'), \
            extract(epoch FROM (pg_catalog.pg_stat_file('.')).modification)::int8, \
            nullif(pg_catalog.pg_tablespace_location(coalesce((SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname = $1), dattablespace)), '') \
         FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
    let row = query(text).bind(tablespace).fetch_one(session.connection()).await?;
    let directory: PathBuf = row.try_get::<String, _>(0)?.into();
    let (changed, location): (i64, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
    if changed_at(&directory) != Some(changed) {
        return Ok(None);
    }
    let disk = location.map_or(directory, PathBuf::from);
    let Ok(space) = rustix::fs::statvfs(&disk) else { return Ok(None) };
    Ok(i64::try_from(space.f_bavail.saturating_mul(space.f_frsize)).ok())
}

/// Seconds since 1970.
fn changed_at(directory: &Path) -> Option<i64> {
    let changed = std::fs::metadata(directory).ok()?.modified().ok()?;
    i64::try_from(changed.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}
