//! One attempt at one build.

use std::time::Duration;

use postgres::{Error, Session};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::settings::OnInterrupt;
use crate::unlimited::LAST_CALL;
use crate::watch::{Watch, lock};

/// How an attempt ended.
pub(crate) enum Ended {
    /// The server says that the index is there.
    Done,
    /// The server refused, or the connection was lost.
    Refused(Error),
    /// We do not wait for it, and the server goes on.
    Detached(Reason),
    /// Nothing had been built, or an interrupted deploy keeps none of it: it was cancelled, and what it left is to be
    /// cleaned.
    Cancelled(Reason),
}

/// Why a build is not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The stage was stopped.
    Stopped,
    /// The budget is used up.
    Budget,
    /// The declaration's own limit is over.
    Timeout,
    /// Writers held it up for too long.
    Writers,
}

impl Reason {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Reason::Stopped => "the deploy had to stop",
            Reason::Budget => "the stage's budget is used up",
            Reason::Timeout => "the time that its file gives it is over",
            Reason::Writers => "transactions that write to the table have been open for too long",
        }
    }
}

/// Until when a build is waited for.
pub(crate) struct Limits<'a> {
    pub(crate) deadline: Instant,
    /// Whose end the deadline is.
    pub(crate) over: Reason,
    /// How long writers are waited for while nothing is built.
    pub(crate) writers: Duration,
    pub(crate) stop: &'a CancellationToken,
    /// Whether a stop cancels a build that has begun in earnest.
    pub(crate) on_interrupt: OnInterrupt,
}

/// Sends the statement, alone in its call, and watches. Dropping this future leaves the server to finish the build.
pub(crate) async fn attempt(
    session: &mut Session,
    statement: &str,
    watch: &mut Watch<'_>,
    limits: &Limits<'_>,
) -> Ended {
    let (pid, canceller, seen) = (session.pid(), session.canceller(), watch.seen());
    let work = session.run(statement);
    tokio::pin!(work);
    let reason = tokio::select! {
        biased;
        result = &mut work => return ended(result),
        () = limits.stop.cancelled() => Reason::Stopped,
        () = tokio::time::sleep_until(limits.deadline) => limits.over,
        () = watch.until_stuck(pid, limits.writers) => Reason::Writers,
    };
    let kept = limits.on_interrupt == OnInterrupt::Detach || reason != Reason::Stopped;
    if kept {
        watch.look_again(pid).await;
        if !lock(&seen).nothing_built() {
            return Ended::Detached(reason);
        }
    }
    let cancelled = async {
        // Asked again until it comes back: a cancel that arrives between two of the build's transactions hits neither.
        loop {
            let _ = canceller.cancel().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        biased;
        result = &mut work => match result {
            Err(error) if error.sqlstate() == Some("57014") => Ended::Cancelled(reason),
            other => ended(other),
        },
        () = tokio::time::sleep(LAST_CALL) => Ended::Detached(reason),
        () = cancelled => Ended::Detached(reason),
    }
}

fn ended(result: Result<u64, Error>) -> Ended {
    match result {
        Ok(_) => Ended::Done,
        Err(error) => Ended::Refused(error),
    }
}

/// Whether the same build may succeed when it is simply made again: it gave way to others, its backend was ended, or
/// somebody else has created the index since it was seen to be missing (42P07).
pub(crate) fn is_worth_another_try(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "42P07"))
        || error.is_lost_connection()
        || error.sqlstate().is_some_and(|code| code.starts_with("08"))
}
