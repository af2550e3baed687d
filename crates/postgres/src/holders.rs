//! Who stands in the way: sessions that block one of ours.

use sqlx::Row;

use crate::error::Error;
use crate::query::query;
use crate::session::Session;

/// A session that blocks another. Its query is not read: it may hold personal data.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocker {
    /// Its backend.
    pub pid: i32,
    /// The role it is logged in as; empty for a background process.
    pub user: String,
    /// Its application name.
    pub application: String,
    /// `active`, `idle in transaction`, ..
    pub state: String,
    /// Seconds since its transaction began.
    pub age_seconds: f64,
    /// Whether it is an autovacuum worker.
    pub autovacuum: bool,
}

/// The sessions that `pid` waits for now (`pg_blocking_pids`, section 9.27). Call it no more often than about once a
/// second: it takes the lock manager's partitions exclusively.
pub async fn of(session: &mut Session, pid: i32) -> Result<Vec<Blocker>, Error> {
    let rows = query(
        "SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, a.backend_type, 'state hidden: grant pg_read_all_stats'), \
                coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8, \
                coalesce(a.backend_type = 'autovacuum worker', false) \
         FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS b(pid) \
         JOIN pg_catalog.pg_stat_activity a USING (pid) ORDER BY a.xact_start NULLS LAST",
    )
    .bind(pid)
    .fetch_all(session.connection())
    .await?;
    rows.iter().map(blocker).collect()
}

fn blocker(row: &sqlx::postgres::PgRow) -> Result<Blocker, Error> {
    Ok(Blocker {
        pid: row.try_get(0)?,
        user: row.try_get(1)?,
        application: row.try_get(2)?,
        state: row.try_get::<Option<String>, _>(3)?.unwrap_or_default(),
        age_seconds: row.try_get(4)?,
        autovacuum: row.try_get(5)?,
    })
}
