//! DROP INDEX CONCURRENTLY: of a leftover, or of a tombstone's index.

use postgres::{Error, RunLock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::unlimited;

/// How a drop ended.
pub(crate) enum Dropped {
    /// The index is gone.
    Gone,
    /// It waits for transactions that may still use the index; the server goes on with it.
    Unfinished,
    /// The server refused.
    Refused(Error),
}

/// Drops an index by its quoted name. Nobody may hold a conflicting lock on its table: that is for the caller to probe.
pub(crate) async fn drop_index(
    lock: &RunLock,
    quoted: &str,
    deadline: Instant,
    stop: &CancellationToken,
) -> Dropped {
    let mut session = match unlimited::session(lock).await {
        Ok(session) => session,
        Err(error) => return Dropped::Refused(error),
    };
    let text = format!("DROP INDEX CONCURRENTLY {quoted}");
    match unlimited::until(deadline, stop, session.run(&text)).await {
        None => Dropped::Unfinished,
        Some(Ok(_)) => {
            session.close().await;
            Dropped::Gone
        }
        // 42704: somebody else was faster.
        Some(Err(error)) if error.sqlstate() == Some("42704") => Dropped::Gone,
        Some(Err(error)) => Dropped::Refused(error),
    }
}
