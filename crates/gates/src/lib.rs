//! Whether a release may go to an environment now. No database, no file, no clock: everything is decided over what was
//! read elsewhere, and the present moment is an argument.
//!
//! # Flow
//!
//! A [`Gate`] is one condition, and a [`Refusal`] what it says when it is not met: the evidence, what is missing, and
//! the earliest moment at which that can change. [`soak`] looks at how long a release has been upstream, [`approval`] at
//! who has agreed to it, [`freeze`] at the [`Window`]s of the clock on the wall, [`hold`] at what people have stopped. A
//! [`Receipt`] is the evidence that an environment gives to others, signed with a key.
#![forbid(unsafe_code)]

mod gate;
mod moment;
mod refusal;

mod cron;
mod window;

pub mod approval;
pub mod freeze;
pub mod hold;
pub mod soak;

mod key;
mod receipt;

pub use approval::Approval;
pub use cron::Cron;
pub use gate::Gate;
pub use hold::Hold;
pub use jiff::{SignedDuration, Timestamp};
pub use key::{KeyError, PublicKey, SigningKey};
pub use moment::shown;
pub use receipt::{Entry, Receipt, ReceiptError};
pub use refusal::Refusal;
pub use soak::Success;
pub use window::{Effect, Stage, When, Window, Zone};
