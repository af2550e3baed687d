//! The queue behind a build: sessions that wait for a lock on its table until it is done, and may kill it at its end.
//!
//! A waiter has a snapshot. Once the build waits for old snapshots, the two wait for each other, and the server ends the
//! one whose `deadlock_timeout` is over first after that: the build, whenever the waiter has queued for longer than that.

use postgres::{Error, PgRow, Row, Session, query};

use crate::event::WaitsFor;

/// A session that waits behind a build.
pub(crate) struct Queued {
    pub(crate) who: WaitsFor,
    /// The build waits for it, too.
    pub(crate) mutual: bool,
    /// One of pgdeploy's own, which may be cancelled.
    ours: bool,
}

impl Queued {
    /// Who waits for the lock on a table (by oid) that the backend `build` has. Reads only.
    pub(crate) async fn behind(session: &mut Session, build: i32, table: i64) -> Result<Vec<Self>, Error> {
        let text = "SELECT l.pid, coalesce(a.usename::text, ''), a.application_name, coalesce(a.state, a.backend_type, ''), \
                    coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000, 0)::int8, \
                    l.pid = ANY (pg_catalog.pg_blocking_pids($1)), \
                    coalesce(a.application_name LIKE 'pgdeploy/%' AND a.usename = CURRENT_USER, false) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'relation' AND NOT l.granted AND l.relation::int8 = $2 AND l.pid <> $1 \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
               AND $1 = ANY (pg_catalog.pg_blocking_pids(l.pid)) ORDER BY a.xact_start";
        let rows = query(text).bind(build).bind(table).fetch_all(session.connection()).await?;
        rows.iter().map(queued).collect()
    }

    /// Ends the wait of one of ours: it tries again, and the build would be lost.
    pub(crate) async fn end_if_ours(&self, session: &mut Session) -> Result<(), Error> {
        if self.ours && self.mutual {
            let cancel = query("SELECT pg_catalog.pg_cancel_backend($1)").bind(self.who.pid);
            cancel.execute(session.connection()).await?;
        }
        Ok(())
    }

    /// What is done about it, or what a person can do.
    pub(crate) fn advice(&self) -> String {
        if self.ours && self.mutual {
            return "it would end the build with a deadlock, and is cancelled".into();
        }
        format!(
            "it waits for the build and ends it with a deadlock once the build waits for it: SELECT pg_cancel_backend({});",
            self.who.pid
        )
    }
}

fn queued(row: &PgRow) -> Result<Queued, Error> {
    Ok(Queued {
        who: WaitsFor {
            pid: row.try_get(0)?,
            user: row.try_get(1)?,
            application: row.try_get(2)?,
            state: row.try_get(3)?,
            age_ms: row.try_get::<i64, _>(4)?.unsigned_abs(),
        },
        mutual: row.try_get(5)?,
        ours: row.try_get(6)?,
    })
}
