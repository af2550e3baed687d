//! Waiting for the server: patient with what passes, immediate with what does not.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::error::{Class, Error};
use crate::session::Session;
use crate::target::Target;

/// How long to try, and at which intervals.
#[derive(Debug, Clone)]
pub struct Patience {
    /// In total.
    pub wait: Duration,
    /// Before the second attempt.
    pub initial: Duration,
    /// Between attempts at most.
    pub max: Duration,
}

/// A failed attempt that will be followed by another.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Counted from 1.
    pub number: u32,
    /// Why it failed.
    pub reason: &'a str,
    /// How long until the next.
    pub retry_in: Duration,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Waiting did not help.
    #[error("{target} did not become ready within {} ({}): {reason}", rounded(*.waited), counted(*.attempts))]
    TimedOut {
        /// Where.
        target: String,
        /// How long we tried.
        waited: Duration,
        /// How often.
        attempts: u32,
        /// What the last attempt said.
        reason: String,
    },
    /// Waiting cannot help.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// Opens a session for writing. A server that is not there, starting, full or a hot standby is waited for; a wrong
/// password, a missing database or a failed TLS handshake ends it at once.
pub async fn until_ready(
    target: &Target,
    patience: &Patience,
    mut on_attempt: impl FnMut(Attempt<'_>),
) -> Result<Session, WaitError> {
    let started = Instant::now();
    let mut backoff = Backoff::new(patience.initial, patience.max);
    for number in 1.. {
        let left = patience.wait.saturating_sub(started.elapsed());
        let reason = match tokio::time::timeout(left.max(Duration::from_secs(1)), writable(target)).await {
            Ok(Ok(Some(session))) => return Ok(session),
            Ok(Ok(None)) => "the server is a hot standby: it cannot be written to".to_owned(),
            Ok(Err(error)) if error.class() == Class::Unavailable => error.to_string(),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => "no answer".to_owned(),
        };
        let retry_in = backoff.next_wait();
        if started.elapsed() + retry_in > patience.wait {
            let target = target.to_string();
            return Err(WaitError::TimedOut { target, waited: started.elapsed(), attempts: number, reason });
        }
        on_attempt(Attempt { number, reason: &reason, retry_in });
        tokio::time::sleep(retry_in).await;
    }
    unreachable!("the attempts are counted without end")
}

/// `3s`, `1m 30s`: to the second, which is as exact as anybody needs a wait.
fn rounded(waited: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(waited.as_secs_f64().round() as u64))
}

fn counted(attempts: u32) -> String {
    format!("{attempts} attempt{}", if attempts == 1 { "" } else { "s" })
}

/// A session, or `None` where the server answers but is in recovery.
async fn writable(target: &Target) -> Result<Option<Session>, Error> {
    use sqlx::Row;
    let mut session = target.connect("connect").await?;
    let asked = session.answer("SELECT pg_catalog.pg_is_in_recovery()").await?;
    let standby: Option<bool> = asked.map(|row| row.try_get(0)).transpose()?;
    if standby == Some(true) {
        session.close().await;
        return Ok(None);
    }
    Ok(Some(session))
}
