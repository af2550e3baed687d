//! What the server's state leaves to us, and why it is not all.

use std::time::Instant;

/// What is left to us.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pressure {
    /// The share of the time; 0 is a pause.
    pub(crate) duty: f64,
    /// Why it is not all of it.
    pub(crate) reasons: Vec<String>,
    /// Counts the times that batches are to be halved.
    pub(crate) halvings: u64,
    /// Nobody else is at work on the server.
    pub(crate) alone: bool,
    /// When its window opens, where it is closed.
    pub(crate) opens: Option<Instant>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self { duty: 1.0, reasons: Vec::new(), halvings: 0, alone: false, opens: None }
    }
}

impl Pressure {
    /// Before the first look: what has not been seen may be anything.
    pub(crate) fn unseen() -> Self {
        Self {
            duty: 0.0,
            reasons: vec!["the server's state has not been seen yet".into()],
            halvings: 0,
            alone: false,
            opens: None,
        }
    }

    /// As the ledger writes it.
    pub(crate) fn level(&self) -> &'static str {
        match self.duty {
            duty if duty <= 0.0 => "pause",
            duty if duty < 1.0 => "slow",
            _ => "free",
        }
    }
}
