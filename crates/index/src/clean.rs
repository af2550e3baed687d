//! DROP INDEX CONCURRENTLY: of a leftover, or of a tombstone's index.

use std::time::Duration;

use postgres::{Error, Stage, holders};
use tokio::time::Instant;

use crate::event::{Event, WaitsFor};
use crate::unlimited;
use crate::watch::milliseconds;

/// How a drop ended.
pub(crate) enum Dropped {
    /// The index is gone.
    Gone,
    /// It waits for transactions that may still use the index; the server goes on with it.
    Unfinished,
    /// The server refused.
    Refused(Error),
}

/// An index to drop.
pub(crate) struct Condemned<'a> {
    pub(crate) schema: &'a str,
    pub(crate) name: &'a str,
    /// Its table, as it is told.
    pub(crate) table: &'a str,
}

/// Drops an index. Nobody may hold a conflicting lock on its table: that is for the caller to probe.
pub(crate) async fn drop_index(
    stage: &Stage<'_, Event>,
    condemned: &Condemned<'_>,
    deadline: Instant,
) -> Dropped {
    let mut session = match unlimited::session(stage.lock).await {
        Ok(session) => session,
        Err(error) => return Dropped::Refused(error),
    };
    let pid = session.pid();
    let text = format!("DROP INDEX CONCURRENTLY {}", sql::qualified(condemned.schema, condemned.name));
    let work = unlimited::until(deadline, &stage.stop, session.run(&text));
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        () = tell_who_is_waited_for(stage, condemned, pid) => None,
    };
    match ended {
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

/// Never ends. What cannot be seen is not told.
async fn tell_who_is_waited_for(stage: &Stage<'_, Event>, condemned: &Condemned<'_>, pid: i32) {
    let started = Instant::now();
    let mut session = None;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if session.is_none() {
            session = stage.lock.session("index-monitor").await.ok();
        }
        let Some(monitor) = &mut session else { continue };
        match holders::of(monitor, pid).await {
            Ok(blockers) if blockers.is_empty() => {}
            Ok(blockers) => (stage.events)(Event::Waiting {
                index: condemned.name.to_owned(),
                table: condemned.table.to_owned(),
                phase: "dropping".into(),
                waited_ms: milliseconds(started.elapsed()),
                waits_for: blockers.iter().map(WaitsFor::from).collect(),
                queued: Vec::new(),
                advice: None,
            }),
            Err(_) => session = None,
        }
    }
}
