//! The outcome of a COMMIT whose answer was lost.

use std::time::{Duration, Instant};

use postgres::wait::{Patience, until_ready};
use postgres::{Error, Row, RunLock, Session, query};
use tokio_util::sync::CancellationToken;

/// A server that restarts is back within this.
const PATIENCE: Patience = Patience {
    wait: Duration::from_secs(60),
    initial: Duration::from_millis(100),
    max: Duration::from_secs(2),
};

/// Asks the server whether a transaction is in (`pg_xact_status`, section 9.27.6), from a new session; `None` where no
/// answer is to be had: no server, or one that still waits for a replica to have the transaction too.
pub(crate) async fn of(lock: &RunLock, xid: &str, stop: &CancellationToken) -> Option<(Session, bool)> {
    let asked = async {
        let mut session = until_ready(lock.target(), &PATIENCE, |_| {}).await.ok()?;
        let committed = committed(&mut session, xid).await.ok()??;
        Some((session, committed))
    };
    tokio::select! {
        answer = asked => answer,
        () = stop.cancelled() => None,
    }
}

async fn committed(session: &mut Session, xid: &str) -> Result<Option<bool>, Error> {
    let deadline = Instant::now() + PATIENCE.wait;
    loop {
        let row = query("SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)")
            .bind(xid)
            .fetch_one(session.connection())
            .await?;
        match row.try_get::<Option<String>, _>(0)?.as_deref() {
            Some("committed") => return Ok(Some(true)),
            Some("in progress") if Instant::now() >= deadline => return Ok(None),
            Some("in progress") => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Ok(Some(false)),
        }
    }
}
