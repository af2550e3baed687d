//! Work on the server that is let go on for a moment when told to stop, and then cancelled.

use std::time::{Duration, Instant};

use postgres::{Error, cancel_on};
use tokio_util::sync::CancellationToken;

/// A batch that is under way when we are told to stop may take this long before it is cancelled.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Runs `work`; when told to stop, lets it go on for `grace` and then cancels it on the server.
pub(crate) async fn stoppable<T>(
    stop: &CancellationToken,
    canceller: &postgres::Canceller,
    grace: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let cancel = CancellationToken::new();
    let alarm = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
        cancel.cancel();
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        result = cancel_on(&cancel, canceller, work) => result,
        never = alarm => match never {},
    }
}

/// Runs `work`, which may take as long as the table is large; at the deadline, or when told to stop, cancels it on the
/// server at once.
pub(crate) async fn bounded<T>(
    stop: &CancellationToken,
    deadline: Instant,
    canceller: &postgres::Canceller,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let cancel = stop.child_token();
    let alarm = async {
        tokio::time::sleep_until(deadline.into()).await;
        cancel.cancel();
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        result = cancel_on(&cancel, canceller, work) => result,
        never = alarm => match never {},
    }
}
