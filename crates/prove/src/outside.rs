//! A statement that cannot be in a transaction: its locks are sampled from a second connection.

use std::time::{Duration, Instant};

use postgres::{Error, Notices, Session};
use sql::Source;

use crate::observation::{Before, Locks, Observation, locks};
use crate::prove::{Statement, measured, milliseconds};
use crate::report::{FileReport, Held};

/// Between two samples.
const EVERY: Duration = Duration::from_millis(1);

/// Runs the statement by itself. What the server refuses is in the report.
pub(crate) async fn run(
    session: &mut Session,
    source: &Source,
    statement: &Statement,
    before: &Before,
    report: &mut FileReport,
) -> Result<(), Error> {
    let mut watcher = session.target().connect("prove").await?;
    let pid = session.pid();
    session.run("SET client_min_messages = debug1").await?;
    let earlier = Observation::look(&mut watcher, pid).await?;
    let notices = Notices::default();
    let started = Instant::now();
    let mut seen = Locks::new();
    let result = {
        let work = notices.of(session.run(&source.text[statement.span.clone()]));
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => break result,
                sampled = sample(&mut watcher, pid, &mut seen) => sampled?,
            }
        }
    };
    let duration = milliseconds(started);
    match result {
        Err(error) if error.is_lost_connection() => return Err(error),
        Err(error) => report.failed = Some(error.to_string()),
        Ok(_) => {
            let mut later = Observation::look(&mut watcher, pid).await?;
            later.add_locks(seen);
            let mut one = measured(source, statement, before, (&earlier, &later), started, &notices);
            one.duration_ms = duration;
            report.held.extend(one.locks.iter().map(|lock| Held {
                relation: lock.relation.clone(),
                mode: lock.mode,
                held_ms: duration,
            }));
            report.statements.push(one);
        }
    }
    watcher.close().await;
    Ok(())
}

async fn sample(watcher: &mut Session, pid: i32, seen: &mut Locks) -> Result<(), Error> {
    for (oid, modes) in locks(watcher, pid).await? {
        seen.entry(oid).or_default().extend(modes);
    }
    tokio::time::sleep(EVERY).await;
    Ok(())
}
