//! Who stands in the way of a session that waits for a lock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::{RunLock, holders};
use tokio::task::JoinHandle;

use crate::event::BlockedBy;

/// First look, unless the attempt gives way before: most migrations are done by then.
const FIRST: Duration = Duration::from_millis(100);
/// Further looks: `pg_blocking_pids` takes the lock manager exclusively.
const FURTHER: Duration = Duration::from_secs(1);

/// Watches one backend from a session of its own until it is dropped.
pub(crate) struct Watch {
    seen: Arc<Mutex<Vec<BlockedBy>>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts to watch. What cannot be seen (no session to be had) is not reported; the migration does not fail for it.
    pub(crate) fn start(lock: &RunLock, pid: i32, lock_timeout: Duration) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (target, told) = (lock.target().clone(), seen.clone());
        let task = tokio::spawn(async move {
            // Most migrations are done before anybody needs to look: only then is a session opened.
            tokio::time::sleep(FIRST.min(lock_timeout / 2)).await;
            let Ok(mut session) = target.connect("watch").await else { return };
            while let Ok(blockers) = holders::of(&mut session, pid).await {
                if !blockers.is_empty() {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) =
                        blockers.iter().map(BlockedBy::from).collect();
                }
                tokio::time::sleep(FURTHER).await;
            }
        });
        Self { seen, task }
    }

    /// The last blockers seen; the next call starts from none.
    pub(crate) fn take(&self) -> Vec<BlockedBy> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
