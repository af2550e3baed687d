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

/// Asks the server whether a transaction is in, from a new session: when it has ended (`pg_xact_status`, section 9.27.6), by
/// the record that it has left, since after a crash its number may be somebody else's. `None` where no answer is to be had:
/// no server, or one that still waits for a replica to have the transaction too.
pub(crate) async fn of(
    lock: &RunLock,
    xid: &str,
    record: &str,
    stop: &CancellationToken,
) -> Option<(Session, bool)> {
    let asked = async {
        let mut session = until_ready(lock.target(), &PATIENCE, |_| {}).await.ok()?;
        ended(&mut session, xid).await.ok()??;
        let committed = session.answer(record).await.ok()?.is_some();
        Some((session, committed))
    };
    tokio::select! {
        answer = asked => answer,
        () = stop.cancelled() => None,
    }
}

/// Waits until it has ended; `None` where that takes too long.
async fn ended(session: &mut Session, xid: &str) -> Result<Option<()>, Error> {
    let deadline = Instant::now() + PATIENCE.wait;
    loop {
        let row = query("SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)")
            .bind(xid)
            .fetch_one(session.connection())
            .await;
        let status = match row.map_err(Error::from) {
            Ok(row) => row.try_get::<Option<String>, _>(0)?,
            // After a crash that has taken it back, a number of the future (22023).
            Err(error) if error.server().is_some() => None,
            Err(error) => return Err(error),
        };
        match status.as_deref() {
            Some("in progress") if Instant::now() >= deadline => return Ok(None),
            Some("in progress") => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Ok(Some(())),
        }
    }
}
