//! The outcome of a COMMIT whose answer was lost.

use std::time::Duration;

use postgres::wait::{Patience, until_ready};
use postgres::{Error, Row, RunLock, Session, query};

/// A server that restarts is back within this.
const PATIENCE: Patience = Patience {
    wait: Duration::from_secs(60),
    initial: Duration::from_millis(100),
    max: Duration::from_secs(2),
};

/// Asks the server whether a transaction is in (`pg_xact_status`, section 9.27.6), from a new session; `None` where no
/// answer is to be had.
pub(crate) async fn of(lock: &RunLock, xid: &str) -> Option<(Session, bool)> {
    let mut session = until_ready(lock.target(), &PATIENCE, |_| {}).await.ok()?;
    let committed = committed(&mut session, xid).await.ok()?;
    Some((session, committed))
}

async fn committed(session: &mut Session, xid: &str) -> Result<bool, Error> {
    loop {
        let row = query("SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)")
            .bind(xid)
            .fetch_one(session.connection())
            .await?;
        match row.try_get::<Option<String>, _>(0)?.as_deref() {
            Some("committed") => return Ok(true),
            Some("in progress") => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Ok(false),
        }
    }
}
