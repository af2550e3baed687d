//! What holds for the next batch: the settings with what is asked now, and what the server's state leaves.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::{Control, Wanted};
use crate::failure::Ended;
use crate::pressure::Pressure;
use crate::settings::Settings;

/// For what a run waits that holds one backfill up. For the server's state it always does; for a person or a window only
/// when nothing else is left to do, and a deploy never for a person: services may be stopped meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Of a deploy; whether it is the last one left.
    Deploy { last: bool },
    /// There are others to do.
    Others,
    /// Nothing else is left to do.
    Last,
}

/// What holds now.
#[derive(Debug, Clone)]
pub(crate) struct Now {
    pub(crate) settings: Settings,
    pub(crate) control: Control,
    pub(crate) pressure: Pressure,
}

impl Now {
    /// Why no batch may begin now.
    pub(crate) fn holds(&self) -> Option<String> {
        if self.control.wanted == Wanted::Pause {
            return Some("somebody has paused it".into());
        }
        (self.pressure.duty <= 0.0).then(|| self.pressure.reasons.join("; "))
    }

    /// Whether it is left as it is now, rather than waited for.
    pub(crate) fn is_left(&self, patience: Patience, deadline: Instant) -> Option<Ended> {
        let last = patience == Patience::Last;
        if self.control.wanted == Wanted::Pause {
            return match patience {
                Patience::Deploy { .. } => Some(Ended::Held),
                _ => (!last).then(|| Ended::Later("somebody has paused it".into())),
            };
        }
        let opens = self.pressure.opens?;
        let why = self.pressure.reasons.join("; ");
        if opens >= deadline {
            return Some(Ended::Incomplete(format!("{why}, which opens only after the budget is over")));
        }
        let last = last || patience == Patience::Deploy { last: true };
        (!last).then_some(Ended::Later(why))
    }

    /// How the run ends when its budget is over.
    pub(crate) fn at_the_end(&self) -> Ended {
        match self.holds() {
            // No deploy goes on by itself with what somebody has paused.
            Some(_) if self.control.wanted == Wanted::Pause => Ended::Held,
            Some(why) => Ended::Incomplete(format!("the budget is over, and {why}")),
            None => Ended::Incomplete("the budget is over".into()),
        }
    }
}

/// Shared by all that work on one backfill in this process.
pub(crate) struct Live {
    file: Settings,
    now: watch::Sender<Now>,
    /// The backends of those at work.
    pids: Mutex<Vec<i32>>,
}

impl Live {
    pub(crate) fn new(settings: &Settings, control: Control) -> Self {
        let settings_now = control.over(settings);
        let now = Now { settings: settings_now, control, pressure: Pressure::unseen() };
        Self { file: settings.clone(), now: watch::Sender::new(now), pids: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Now {
        self.now.borrow().clone()
    }

    /// Fires when something changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    /// What is asked by now. Whether that is something new.
    pub(crate) fn asked(&self, control: Control) -> bool {
        self.now.send_if_modified(|now| {
            let newer = control.revision != now.control.revision;
            if newer {
                now.settings = control.over(&self.file);
                now.control = control;
            }
            newer
        })
    }

    /// What the server's state leaves by now. Whether that is something new.
    pub(crate) fn pressed(&self, pressure: Pressure) -> bool {
        self.now.send_if_modified(|now| {
            let other = now.pressure != pressure;
            now.pressure = pressure;
            other
        })
    }

    /// Sleeps between two batches; what changes meanwhile ends it.
    pub(crate) async fn rest(&self, sleep: Duration, stop: &CancellationToken) {
        if sleep.is_zero() {
            return;
        }
        let mut changes = self.changes();
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            _ = changes.changed() => {}
            () = stop.cancelled() => {}
        }
    }

    /// Counts a session in while it is at work.
    pub(crate) fn at_work(&self, pid: i32, is: bool) {
        let mut pids = self.pids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pids.retain(|one| *one != pid);
        if is {
            pids.push(pid);
        }
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.pids.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
