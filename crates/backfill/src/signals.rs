//! One look at the server: everything that slows a backfill down or holds it up, in one statement where it can be.

use std::time::Duration;

use postgres::{Error, Row, Session, query};

use crate::company::{self, Others};
use crate::window::{self, Closed, Window};

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    /// Seconds that the slowest replica is behind.
    pub(crate) replica_lag: Option<f64>,
    /// Replicas whose lag we have no right to see.
    pub(crate) unseen_replicas: i64,
    pub(crate) replicas: Vec<String>,
    pub(crate) inactive_slots: Vec<String>,
    pub(crate) archiver_fails: bool,
    /// Who has waited longest for a lock that one of us holds, and how long.
    pub(crate) blocked: Option<(i32, Duration)>,
    /// Seconds.
    pub(crate) oldest_snapshot: Option<f64>,
    pub(crate) autovacuum: bool,
    /// Transactions since the table's oldest one.
    pub(crate) xid_age: Option<f64>,
    pub(crate) active_sessions: i64,
    pub(crate) others: Others,
    /// The position in the log, in bytes.
    pub(crate) wal: f64,
    /// Checkpoints that were asked for, so far.
    pub(crate) checkpoints: Option<i64>,
    /// Dead rows and all rows of the table, as the statistics have them.
    pub(crate) dead: (f64, f64),
    /// The window, where this is outside of it.
    pub(crate) outside_window: Option<Closed>,
}

/// Looks at the server. `pids` are our own sessions at work; who was at work so `lately` still counts.
pub(crate) async fn look(
    session: &mut Session,
    (oid, pids): (i64, &[i32]),
    window: Option<&Window>,
    lately: Duration,
) -> Result<Seen, Error> {
    let checkpoints = match session.version_number() {
        170_000.. => "(SELECT num_requested FROM pg_catalog.pg_stat_checkpointer)",
        _ => "(SELECT checkpoints_req FROM pg_catalog.pg_stat_bgwriter)",
    };
    let waits = match session.version_number() {
        140_000.. => {
            "coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT l.granted), a.query_start)"
        }
        _ => "a.query_start",
    };
    let others = company::question(session.version_number(), "$2", "$3::float8");
    let row = query(&format!(
        "SELECT (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_catalog.pg_stat_replication), \
           (SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE state IS NULL), \
           coalesce((SELECT pg_catalog.array_agg(DISTINCT application_name) FROM pg_catalog.pg_stat_replication WHERE application_name <> 'pg_basebackup'), '{{}}'), \
           coalesce((SELECT pg_catalog.array_agg(slot_name::text) FROM pg_catalog.pg_replication_slots WHERE NOT active AND NOT temporary AND restart_lsn IS NOT NULL), '{{}}'), \
           current_setting('archive_mode') <> 'off' AND coalesce((SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_catalog.pg_stat_archiver), false), \
           greatest((SELECT max(extract(epoch FROM clock_timestamp() - xact_start))::float8 FROM pg_catalog.pg_stat_activity \
               WHERE backend_xmin IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() AND pid <> ALL ($2) AND backend_type <> 'walsender'), \
             (SELECT max(extract(epoch FROM clock_timestamp() - prepared))::float8 FROM pg_catalog.pg_prepared_xacts)), \
           EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE v.relid = $1::int8::oid AND a.backend_type = 'autovacuum worker'), \
           (SELECT age(c.relfrozenxid)::float8 FROM pg_catalog.pg_class c WHERE c.oid = $1::int8::oid AND c.relfrozenxid <> '0'), \
           (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend' \
             AND pid <> pg_catalog.pg_backend_pid() AND pid <> ALL ($2)), \
           (pg_catalog.pg_current_wal_insert_lsn() - '0/0')::float8, {checkpoints}, \
           (SELECT n_dead_tup::float8 FROM pg_catalog.pg_stat_all_tables WHERE relid = $1::int8::oid), \
           (SELECT (n_live_tup + n_dead_tup)::float8 FROM pg_catalog.pg_stat_all_tables WHERE relid = $1::int8::oid), {others}"
    ))
    .bind(oid)
    .bind(pids.to_vec())
    .bind(lately.as_secs_f64())
    .fetch_one(session.connection())
    .await?;
    // Asking who blocks whom takes the lock manager's partitions: only for those that wait.
    let blocked = query(&format!(
        "SELECT a.pid, extract(epoch FROM clock_timestamp() - {waits})::float8 FROM pg_catalog.pg_stat_activity a \
         WHERE a.wait_event_type = 'Lock' AND a.pid <> ALL ($1) AND pg_catalog.pg_blocking_pids(a.pid) && $1 ORDER BY 2 DESC LIMIT 1"
    ))
    .bind(pids.to_vec())
    .fetch_optional(session.connection())
    .await?;
    let blocked = match blocked {
        Some(row) => {
            let seconds: Option<f64> = row.try_get(1)?;
            let waited = Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default();
            Some((row.try_get(0)?, waited))
        }
        None => None,
    };
    Ok(Seen {
        replica_lag: row.try_get(0)?,
        unseen_replicas: row.try_get(1)?,
        replicas: row.try_get(2)?,
        inactive_slots: row.try_get(3)?,
        archiver_fails: row.try_get(4)?,
        blocked,
        oldest_snapshot: row.try_get(5)?,
        autovacuum: row.try_get(6)?,
        xid_age: row.try_get(7)?,
        active_sessions: row.try_get(8)?,
        others: Others { at_work: row.try_get(13)?, begun: row.try_get(14)? },
        wal: row.try_get(9)?,
        checkpoints: row.try_get(10)?,
        dead: (
            row.try_get::<Option<f64>, _>(11)?.unwrap_or(0.0),
            row.try_get::<Option<f64>, _>(12)?.unwrap_or(0.0),
        ),
        outside_window: window::outside(session, window).await?,
    })
}
