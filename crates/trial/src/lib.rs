//! What tests wait with. A test never lets a time pass: it waits for a condition, for a query to say yes, or for an
//! event, and fails with what it has waited for. Only the crates' tests depend on it.
//!
//! # Flow
//!
//! [`until`] asks again and again whether something is so, [`until_true`] asks the server, [`blocking::until`] is the
//! same without a runtime. A [`Recorder`] keeps what is told and wakes whoever waits for some of it; nobody asks again.
//! [`files_end_at`] fills a disk.
#![forbid(unsafe_code)]

pub mod blocking;
mod condition;
mod disk;
mod recorder;

pub use condition::{until, until_true};
pub use disk::files_end_at;
pub use recorder::Recorder;

/// How long anything is waited for. It is no measure of speed: much longer than it can take on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// Between two questions.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
