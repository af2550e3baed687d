//! What a killed runner has left running on the server.

use std::time::{Duration, Instant};

use postgres::Stage;

use crate::event::Event;
use crate::failure::Failure;

/// How long it is waited for: from version 14 on the server ends it within a second of noticing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Waiting for an orphan's end.
#[derive(Default)]
pub(crate) struct Orphans {
    since: Option<Instant>,
    told: i32,
}

impl Orphans {
    /// Tells of the orphan, once, and sleeps a while; fails when the patience is over or the stage is told to stop.
    pub(crate) async fn wait(&mut self, stage: &Stage<'_, Event>, pid: i32) -> Result<(), Failure> {
        if self.since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
            return Err(Failure::Orphan { pid });
        }
        if pid != 0 && pid != self.told {
            self.told = pid;
            (stage.events)(Event::Orphan { pid });
        }
        tokio::select! {
            () = stage.stop.cancelled() => Err(Failure::Interrupted),
            () = tokio::time::sleep(INTERVAL) => Ok(()),
        }
    }
}
