//! One release over many databases: which goes in which wave, how many may fail, and the account that is kept of them.
//!
//! # Flow
//!
//! [`assign`] gives every database its [`Wave`], by name and number. [`run`] does a wave's work: at most so many at once,
//! within a number of connections, until more have failed than its [`Amount`] of budget allows; what one database's work
//! is, the caller says. The [`Book`] keeps account in the control database's ledger: how each database ended, and when
//! each wave was through. Nothing is decided from how a database ended: where it stands is asked of itself.
#![forbid(unsafe_code)]

mod amount;
mod assign;
mod pattern;
mod wave;

mod run;

mod book;
mod ledger;
mod standing;

pub use amount::Amount;
pub use assign::assign;
pub use book::{Book, Ended, Member};
pub use ledger::LEDGER;
pub use run::{Account, Ending, Job, Limits, Ran, run};
pub use standing::{Standing, Status, WaveCount, count};
pub use wave::Wave;
