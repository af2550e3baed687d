//! The proof that the application is gone: no session of its roles.

use std::time::{Duration, Instant};

use pipeline::Quiesced;
use postgres::{Error, Row, Session, query};

/// Between two looks.
const AGAIN: Duration = Duration::from_millis(100);

/// A session that is still there.
#[derive(Debug)]
pub(crate) struct Remaining {
    pid: i32,
    user: String,
    application: String,
    /// `None` where the role that deploys may not see it.
    state: Option<String>,
    address: String,
}

impl std::fmt::Display for Remaining {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.as_deref().unwrap_or("its state is hidden: GRANT pg_read_all_stats shows it");
        write!(out, "pid {} {} {} from {} ({state})", self.pid, self.user, self.application, self.address)
    }
}

/// Roles that are named and do not exist: of them no session would ever be found.
pub(crate) async fn unknown_roles(session: &mut Session, quiesced: &Quiesced) -> Result<Vec<String>, Error> {
    let text = "SELECT r FROM pg_catalog.unnest($1::text[]) AS u(r) WHERE r NOT IN (SELECT rolname FROM pg_catalog.pg_roles)";
    let rows = query(text).bind(&quiesced.roles).fetch_all(session.connection()).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Waits for the end of the application's sessions; those that are left at the end.
pub(crate) async fn wait(session: &mut Session, quiesced: &Quiesced) -> Result<Vec<Remaining>, Error> {
    let started = Instant::now();
    loop {
        let remaining = remaining(session, quiesced).await?;
        if remaining.is_empty() || started.elapsed() >= quiesced.within {
            return Ok(remaining);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A session whose state cannot be seen counts: it is not known to be idle. Ours are told by their application_name, since
/// an application may log in as the role that deploys.
async fn remaining(session: &mut Session, quiesced: &Quiesced) -> Result<Vec<Remaining>, Error> {
    // pg_stat_activity is read once per transaction: each look is its own.
    let text = "SELECT pid, usename::text, coalesce(application_name, ''), state, coalesce(client_addr::text, 'here') \
         FROM pg_catalog.pg_stat_activity \
         WHERE datname = pg_catalog.current_database() AND usename::text = ANY ($1) \
           AND coalesce(application_name, '') NOT LIKE 'pgdeploy/%' \
           AND coalesce(backend_type, 'client backend') = 'client backend' \
           AND NOT ($2 AND coalesce(state = 'idle', false)) \
         ORDER BY backend_start LIMIT 20";
    let rows =
        query(text).bind(&quiesced.roles).bind(quiesced.ignore_idle).fetch_all(session.connection()).await?;
    rows.iter()
        .map(|row| {
            Ok(Remaining {
                pid: row.try_get(0)?,
                user: row.try_get(1)?,
                application: row.try_get(2)?,
                state: row.try_get(3)?,
                address: row.try_get(4)?,
            })
        })
        .collect()
}
