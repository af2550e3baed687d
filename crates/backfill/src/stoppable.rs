//! Work on the server that is let go on for a moment when told to stop, and then cancelled.

use std::time::Duration;

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
