//! Statements that may take as long as they take, and that the server finishes when we are gone.

use std::future::Future;
use std::time::Duration;

use postgres::{Error, RunLock, Session};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a statement that the server could finish alone is still waited for once the stage stops.
pub(crate) const LAST_CALL: Duration = Duration::from_secs(2);

/// A session without any limit, whatever its role or database has set: every timeout would also end the wait for old
/// snapshots, when all the work is done and an INVALID index is what would be left of it. The server does not look
/// whether the client is still there, and has nothing to tell it before the end: a message to a client that is gone
/// would end the statement.
pub(crate) async fn session(lock: &RunLock) -> Result<Session, Error> {
    let mut session = lock.session("index-build").await?;
    let number = session.version_number();
    session.run("SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error").await?;
    if number >= 140_000 {
        session.run("SET idle_session_timeout = 0; SET client_connection_check_interval = 0").await?;
    }
    if number >= 170_000 {
        session.run("SET transaction_timeout = 0").await?;
    }
    Ok(session)
}

/// Waits for work until a deadline, or until shortly after the stage was stopped; `None` means that the server was left
/// to finish it.
pub(crate) async fn until<T>(
    deadline: Instant,
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_CALL).await;
    };
    tokio::select! {
        biased;
        result = work => Some(result),
        () = stopped => None,
        () = tokio::time::sleep_until(deadline) => None,
    }
}
