//! The same for tests without a runtime.

use std::time::Instant;

use crate::{PATIENCE, PAUSE};

/// Waits until a condition is so, and fails the test if it does not get so. `what` is what the failure tells.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {PATIENCE:?}: {what}");
        std::thread::park_timeout(PAUSE);
    }
}
