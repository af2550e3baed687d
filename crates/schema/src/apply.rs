//! One migration, tried until it is in or the patience ends.

use std::time::{Duration, Instant};

use postgres::{Backoff, ScriptError, Session, Stage};

use crate::attempt::{Attempt, Ended};
use crate::event::{BlockedBy, Event};
use crate::failure::Failure;
use crate::migration::Migration;
use crate::refusal;
use crate::run::{Done, Settings};
use crate::watch::Watch;

/// How long the transaction of a killed runner is waited for: the server ends it within a second of noticing.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(30);

/// Applies the file. An attempt waits `lock_timeout` for a lock, because everybody else queues behind it; then the
/// whole transaction is rolled back and tried again later, never from a savepoint, which would keep its other locks.
pub(crate) async fn apply(
    stage: &Stage<'_, Event>,
    settings: &Settings,
    session: &mut Session,
    migration: &Migration,
) -> Result<Done, Failure> {
    let started = Instant::now();
    let mut backoff = Backoff::full_jitter(Duration::from_millis(250), Duration::from_secs(15));
    let (mut retries, mut waited, mut blocked_by) = (0, Duration::ZERO, Vec::new());
    loop {
        let attempt = Attempt {
            lock: stage.lock,
            ledger: stage.ledger,
            deployment: stage.deployment,
            lock_timeout: settings.lock_timeout,
            statement_timeout: settings.statement_timeout,
            stop: &stage.stop,
            retries,
            waited,
        };
        let watch = Watch::start(stage.lock, session.pid(), settings.lock_timeout);
        let began = Instant::now();
        let failed = match attempt.run(session, migration).await {
            Ok(Ended::Committed(duration)) => {
                return Ok(Done {
                    migration: migration.id().to_owned(),
                    duration,
                    retries,
                    waited,
                    blocked_by,
                });
            }
            Ok(Ended::GaveWay(failed)) => failed,
            Err(Failure::Orphan { pid }) if started.elapsed() < ORPHAN_PATIENCE => {
                (stage.events)(Event::Orphan { pid });
                pause(stage, Duration::from_millis(500)).await?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        retries += 1;
        waited += began.elapsed();
        let seen = watch.take();
        if !seen.is_empty() {
            blocked_by = seen;
        }
        let retry_in = backoff.next_wait();
        if started.elapsed() + retry_in > settings.retry_for {
            return Err(out_of_patience(
                migration,
                settings,
                &failed,
                retries,
                started.elapsed(),
                blocked_by,
            ));
        }
        (stage.events)(Event::Retrying {
            migration: migration.id().to_owned(),
            attempt: retries,
            sqlstate: failed.error.sqlstate().unwrap_or_default().to_owned(),
            waited_ms: milliseconds(began.elapsed()),
            retry_in_ms: milliseconds(retry_in),
            blocked_by: blocked_by.clone(),
        });
        pause(stage, retry_in).await?;
    }
}

/// Sleeps, unless the stage is told to stop.
async fn pause(stage: &Stage<'_, Event>, wait: Duration) -> Result<(), Failure> {
    tokio::select! {
        () = stage.stop.cancelled() => Err(Failure::Interrupted),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

fn out_of_patience(
    migration: &Migration,
    settings: &Settings,
    failed: &ScriptError,
    attempts: u32,
    waited: Duration,
    blocked_by: Vec<BlockedBy>,
) -> Failure {
    let source = &migration.source;
    let patience = settings.retry_for.as_secs_f64();
    let (each, error) = (settings.lock_timeout, &failed.error);
    let message =
        format!("did not get its locks within {patience}s ({attempts} attempts of {each:?}): {error}");
    let position = error.server().and_then(|report| report.position);
    let problem = refusal::at("E101", source, failed.statement, position, message);
    Failure::Blocked { problem, attempts, waited, blocked_by }
}

/// Whole milliseconds, for events.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
