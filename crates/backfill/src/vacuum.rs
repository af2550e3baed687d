//! Behind the workers: where autovacuum has not come by, what is dead is cleared away before the table has grown by it.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use postgres::{Canceller, Error, Row};
use tokio::sync::watch;

use crate::event::Event;
use crate::monitor::Monitor;
use crate::signals::Seen;

/// The share of dead rows at which we vacuum, and from how many rows on.
const DEAD: (f64, f64) = (0.10, 20_000.0);

/// A VACUUM of ours, while there is one.
#[derive(Default)]
pub(crate) struct Vacuum(Mutex<Option<Canceller>>);

impl Vacuum {
    fn set(&self, canceller: Option<Canceller>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = canceller;
    }

    /// Ends it on the server, where nobody listens to it any more: its lock would be in the way of what comes next, such
    /// as an index that waits for the backfill.
    pub(crate) async fn end(&self) {
        let canceller = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(canceller) = canceller {
            let _ = canceller.cancel().await;
        }
    }
}

impl Monitor<'_> {
    /// Judges each look. A table that somebody else has locked is left alone.
    pub(crate) async fn clear_away(&self, mut seen: watch::Receiver<(i64, Seen)>) -> Infallible {
        // What the last one left, because somebody can still see it, is not tried again.
        let (mut left, mut is_after) = ((0, 0.0), false);
        loop {
            if seen.changed().await.is_err() {
                return std::future::pending().await;
            }
            let (oid, seen) = seen.borrow_and_update().clone();
            let (dead, all) = seen.dead;
            if is_after {
                (left, is_after) = ((oid, dead), false);
            }
            let before = if left.0 == oid { left.1 } else { 0.0 };
            if oid != 0 && all >= DEAD.1 && dead - before >= all * DEAD.0 && !seen.autovacuum {
                // What could not be done now is tried at another look.
                let _ = self.vacuum(oid).await;
                self.vacuum.set(None);
                is_after = true;
            }
        }
    }

    async fn vacuum(&self, oid: i64) -> Result<(), Error> {
        let mut session = self.stage.session("backfill-vacuum").await?;
        let name: String = session.one(&format!("SELECT {oid}::oid::regclass::text")).await?.try_get(0)?;
        let cleanup = if session.version_number() >= 140_000 { ", INDEX_CLEANUP AUTO" } else { "" };
        self.vacuum.set(Some(session.canceller()));
        let started = Instant::now();
        session.run(&format!("VACUUM (SKIP_LOCKED{cleanup}) {name}")).await?;
        session.close().await;
        (self.stage.events)(Event::Vacuumed {
            id: self.definition.id.clone(),
            table: name,
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok(())
    }
}
