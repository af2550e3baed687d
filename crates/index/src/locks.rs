//! Who holds a lock that a concurrent build needs, and who is building; and the probe that never waits.

use postgres::{Error, PgRow, Row, Session, query};

use crate::event::WaitsFor;
use crate::survey::Table;

/// A session with a lock on a table that conflicts with SHARE UPDATE EXCLUSIVE (table 13.2 of the manual).
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) table: i64,
    pub(crate) who: WaitsFor,
    /// An autovacuum worker that steps back for others.
    pub(crate) gives_way: bool,
    /// The index it is creating.
    pub(crate) building: Option<i64>,
}

/// The holders of such locks on some tables (by oid). Reads only.
pub(crate) async fn on(session: &mut Session, tables: &[i64]) -> Result<Vec<Holder>, Error> {
    let text = "SELECT l.relation::int8, l.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), \
                coalesce(a.state, a.backend_type, ''), \
                coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000, 0)::int8, \
                coalesce(a.backend_type = 'autovacuum worker' AND a.query NOT LIKE '%(to prevent wraparound)%', false), \
                nullif(p.index_relid, 0)::int8 \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         LEFT JOIN pg_catalog.pg_stat_progress_create_index p ON p.pid = l.pid \
         WHERE l.locktype = 'relation' AND l.granted AND l.relation::int8 = ANY ($1) AND l.pid <> pg_catalog.pg_backend_pid() \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
           AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";
    let rows = query(text).bind(tables).fetch_all(session.connection()).await?;
    rows.iter().map(holder).collect()
}

fn holder(row: &PgRow) -> Result<Holder, Error> {
    Ok(Holder {
        table: row.try_get(0)?,
        who: WaitsFor {
            pid: row.try_get::<Option<i32>, _>(1)?.unwrap_or_default(),
            user: row.try_get(2)?,
            application: row.try_get(3)?,
            state: row.try_get(4)?,
            age_ms: row.try_get::<i64, _>(5)?.unsigned_abs(),
        },
        gives_way: row.try_get(6)?,
        building: row.try_get(7)?,
    })
}

/// Whether a build would get its lock on the table now. It is never waited for: a waiter makes another concurrent build
/// on the table fail at its end, with 40P01.
pub(crate) async fn free(session: &mut Session, table: &Table) -> Result<bool, Error> {
    // LOCK TABLE does not take materialized views.
    if table.kind == "m" {
        return Ok(on(session, &[table.oid]).await?.is_empty());
    }
    let text =
        format!("BEGIN; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT; ROLLBACK", table.quoted());
    match session.run(&text).await {
        Ok(_) => Ok(true),
        Err(error) => {
            session.run("ROLLBACK").await?;
            if error.sqlstate() == Some("55P03") { Ok(false) } else { Err(error) }
        }
    }
}
