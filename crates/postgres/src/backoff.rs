//! Growing waits between attempts.

use std::time::Duration;

/// Waits that double from `initial` to `max`, each shortened by a random part so that many waiters spread out.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    max: Duration,
    jitter: f64,
}

impl Backoff {
    /// Each wait is between 80 % and 100 % of the doubling value.
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self { next: initial, max, jitter: 0.2 }
    }

    /// "Full jitter": each wait is between nothing and the doubling value, which spreads contenders best.
    pub fn full_jitter(initial: Duration, max: Duration) -> Self {
        Self { next: initial, max, jitter: 1.0 }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(1.0 - self.jitter * fastrand::f64());
        self.next = (self.next * 2).min(self.max);
        wait
    }
}
