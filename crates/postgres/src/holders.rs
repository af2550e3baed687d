//! Who stands in the way: sessions that block one of ours, or would.

use std::time::Duration;

use sqlx::Row;

use crate::error::Error;
use crate::query::query;
use crate::session::Session;

/// A session, or a prepared transaction, that blocks another. Its query is not read: it may hold personal data.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocker {
    /// Its backend; 0 for a prepared transaction, which has none.
    pub pid: i32,
    /// The role it is logged in as; empty for a background process.
    pub user: String,
    /// Its application name.
    pub application: String,
    /// `active`, `idle in transaction`, ..
    pub state: String,
    /// Seconds since its transaction began.
    pub age_seconds: f64,
    /// How long it has been idle within its transaction; `None` where it is not, or hidden.
    pub idle_for: Option<Duration>,
    /// When it started, as the server writes it: with it, `pid` names one session and no other. Empty where it is hidden.
    pub backend_start: String,
    /// Whether it is an autovacuum worker.
    pub autovacuum: bool,
    /// Whether that worker prevents a transaction id wraparound: then it gives way to nobody.
    pub wraparound: bool,
    /// Its virtual transaction, as `pg_locks` names it; empty outside of one.
    pub transaction: String,
}

/// What is read of a session `a`. What a role without pg_read_all_stats may not see has a value that says so; a hidden
/// session without a user that is attached to a database is an autovacuum worker.
const COLUMNS: &str = "a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), \
     coalesce(a.state, a.backend_type, 'state hidden: grant pg_read_all_stats'), \
     coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::float8, \
     CASE WHEN a.state LIKE 'idle in transaction%' THEN extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8 END, \
     coalesce(a.backend_start::text, ''), \
     coalesce(a.backend_type = 'autovacuum worker', a.usesysid IS NULL AND a.datid IS NOT NULL), \
     coalesce(a.query LIKE 'autovacuum:%(to prevent wraparound)', false), \
     coalesce((SELECT v.virtualtransaction FROM pg_catalog.pg_locks v WHERE v.pid = a.pid AND v.locktype = 'virtualxid' AND v.granted LIMIT 1), '')";

/// The same of a prepared transaction `p`, which has neither session nor state.
const PREPARED: &str = "0, p.owner::text, '', pg_catalog.format('prepared transaction %L', p.gid), \
     extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8, NULL::float8, '', false, false, own.virtualtransaction";

/// The sessions that `pid` waits for now (`pg_blocking_pids`, section 9.27). Call it no more often than about once a
/// second: it takes the lock manager's partitions exclusively.
pub async fn of(session: &mut Session, pid: i32) -> Result<Vec<Blocker>, Error> {
    let text = format!(
        "SELECT {COLUMNS} FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS b(pid) \
         JOIN pg_catalog.pg_stat_activity a USING (pid) \
         UNION ALL SELECT DISTINCT {PREPARED} FROM pg_catalog.pg_locks waits \
         JOIN pg_catalog.pg_locks holds ON holds.pid IS NULL AND holds.granted AND holds.locktype = waits.locktype \
           AND (holds.relation = waits.relation OR holds.transactionid = waits.transactionid) \
         JOIN pg_catalog.pg_locks own ON own.pid IS NULL AND own.locktype = 'transactionid' AND own.virtualtransaction = holds.virtualtransaction \
         JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = own.transactionid \
         WHERE waits.pid = $1 AND NOT waits.granted ORDER BY 5 DESC"
    );
    let rows = query(&text).bind(pid).fetch_all(session.connection()).await?;
    rows.iter().map(blocker).collect()
}

/// SQL that is true where another session holds any lock on one of the relations, named as SQL: what [`on`] tells more of,
/// and costs ten times as much.
pub fn are_on(relations: &[String]) -> String {
    let names: Vec<String> = relations.iter().map(|name| sql::literal(name)).collect();
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_lock_status() l WHERE l.locktype = 'relation' AND l.granted \
         AND l.pid <> pg_catalog.pg_backend_pid() \
         AND l.relation = ANY (ARRAY(SELECT pg_catalog.to_regclass(name)::oid FROM pg_catalog.unnest(ARRAY[{}]) AS n(name))))",
        names.join(", ")
    )
}

/// The other sessions that hold any lock on one of the relations, named as SQL. Names that do not exist are passed over.
pub async fn on(session: &mut Session, relations: &[String]) -> Result<Vec<Blocker>, Error> {
    let text = format!(
        "SELECT {COLUMNS} FROM pg_catalog.pg_stat_activity a WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.pid IN ( \
           SELECT l.pid FROM pg_catalog.unnest($1::text[]) AS wanted(name) \
           JOIN pg_catalog.pg_locks l ON l.relation = pg_catalog.to_regclass(wanted.name) \
           WHERE l.locktype = 'relation' AND l.granted \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
         ORDER BY a.xact_start NULLS LAST"
    );
    let rows = query(&text).bind(relations).fetch_all(session.connection()).await?;
    rows.iter().map(blocker).collect()
}

/// Whether the transactions of all of them are over. Reading `pg_locks` is cheap, but not free.
pub async fn are_gone(session: &mut Session, blockers: &[Blocker]) -> Result<bool, Error> {
    let transactions: Vec<&str> = blockers.iter().map(|blocker| blocker.transaction.as_str()).collect();
    let text = "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE virtualtransaction = ANY ($1))";
    Ok(query(text).bind(transactions).fetch_one(session.connection()).await?.try_get(0)?)
}

fn blocker(row: &sqlx::postgres::PgRow) -> Result<Blocker, Error> {
    let idle: Option<f64> = row.try_get(5)?;
    Ok(Blocker {
        pid: row.try_get(0)?,
        user: row.try_get(1)?,
        application: row.try_get(2)?,
        state: row.try_get(3)?,
        age_seconds: row.try_get(4)?,
        idle_for: idle.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
        backend_start: row.try_get(6)?,
        autovacuum: row.try_get(7)?,
        wraparound: row.try_get(8)?,
        transaction: row.try_get(9)?,
    })
}
