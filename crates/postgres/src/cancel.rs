//! Ending a statement from outside: dropping a future does not, the backend goes on.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::query::query;
use crate::target::Target;

/// How long a cancelled statement may take to come back before we stop listening for it.
const GRACE: Duration = Duration::from_secs(5);

/// Ends the statement a backend is busy with.
#[derive(Debug, Clone)]
pub struct Canceller {
    target: Target,
    pid: i32,
}

impl Canceller {
    pub(crate) fn new(target: Target, pid: i32) -> Self {
        Self { target, pid }
    }

    /// `pg_cancel_backend` (section 9.28.2) from a session of its own.
    pub async fn cancel(&self) -> Result<(), Error> {
        let mut session = self.target.connect("cancel").await?;
        query("SELECT pg_cancel_backend($1)").bind(self.pid).execute(session.connection()).await?;
        session.close().await;
        Ok(())
    }
}

/// Runs `work`; when `stop` fires, cancels the statement on the server and waits for `work` to come back with
/// whatever it then has: usually the error 57014, sometimes its result.
pub async fn cancel_on<T, E: From<Error>>(
    stop: &CancellationToken,
    canceller: &Canceller,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = stop.cancelled() => {}
    }
    // Asked again until it comes back: a cancel that arrives between two statements of the work hits neither.
    let deadline = tokio::time::Instant::now() + GRACE;
    while tokio::time::Instant::now() < deadline {
        let asked = async {
            let _ = canceller.cancel().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = asked => {}
        }
    }
    let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer to the cancel request");
    Err(Error::Connection(silent).into())
}
