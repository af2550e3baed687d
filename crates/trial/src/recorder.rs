//! What is told in a test: kept, and waited for.

use std::fmt::Debug;

use anyhow::{Result, bail};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::PATIENCE;

/// Keeps events in the order in which they came.
pub struct Recorder<E> {
    events: watch::Sender<Vec<E>>,
}

impl<E> Default for Recorder<E> {
    fn default() -> Self {
        Self { events: watch::Sender::new(Vec::new()) }
    }
}

impl<E: Clone + Debug> Recorder<E> {
    /// Keeps one, and wakes whoever waits.
    pub fn record(&self, event: E) {
        self.events.send_modify(|events| events.push(event));
    }

    /// All of them so far.
    pub fn all(&self) -> Vec<E> {
        self.events.borrow().clone()
    }

    /// How many there are of a kind.
    pub fn count(&self, what: impl Fn(&E) -> bool) -> usize {
        count(&self.events.borrow(), what)
    }

    /// Waits until there are so many of a kind; one that came before counts, too.
    pub async fn until(&self, many: usize, what: impl Fn(&E) -> bool) -> Result<()> {
        let mut events = self.events.subscribe();
        let waited = timeout(PATIENCE, events.wait_for(|events| count(events, &what) >= many)).await.is_ok();
        if !waited {
            bail!("waited in vain for {PATIENCE:?} for {many} such events in {:#?}", self.all());
        }
        Ok(())
    }
}

fn count<E>(events: &[E], what: impl Fn(&E) -> bool) -> usize {
    events.iter().filter(|event| what(event)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_are_waited_for_also_those_that_came_before() {
        let recorder = Recorder::default();
        recorder.record(1);
        recorder.until(1, |event| *event == 1).await.unwrap();
        let (waited, ()) = tokio::join!(recorder.until(2, |event| *event > 1), async {
            recorder.record(2);
            tokio::task::yield_now().await;
            recorder.record(3);
        });
        waited.unwrap();
        assert_eq!((recorder.all(), recorder.count(|event| *event > 1)), (vec![1, 2, 3], 2));
        let error = recorder.until(1, |event| *event == 4).await.unwrap_err();
        assert!(error.to_string().starts_with("waited in vain for 60s for 1 such events in ["), "{error}");
    }
}
